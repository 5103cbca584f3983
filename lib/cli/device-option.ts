import { Option } from "commander";

export function deviceOption(description: string): Option {
  return new Option("--device <name>", description).argParser(
    (name: string, earlier: string[] | undefined) => [...(earlier ?? []), name],
  );
}
