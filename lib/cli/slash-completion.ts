import { readdirSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { SLASH_COMMANDS } from "./slash-commands.js";

/** What may be meant by a line, in place of its end: the commands' names, and files of those that take one. */
export function completed(line: string): [string[], string] {
  const [, word, rest] = /^\/([a-zA-Z]*)(?:\s+(.*))?$/s.exec(line) ?? [];
  if (word === undefined) return [[], line];
  if (rest === undefined && !/\s$/.test(line)) {
    const names = SLASH_COMMANDS.filter(({ name }) => name.startsWith(word));
    return [names.map(({ name, takes }) => `/${name}${takes === "" ? "" : " "}`), line];
  }
  const command = SLASH_COMMANDS.find(({ name }) => name === word);
  return command?.takes === "FILE" ? [files(rest ?? ""), rest ?? ""] : [[], line];
}

/** Hidden ones only where a dot asks for them. */
function files(begun: string): string[] {
  const cut = begun.lastIndexOf("/") + 1;
  const [folder, name] = [begun.slice(0, cut), begun.slice(cut)];
  const place = folder.startsWith("~/") ? join(homedir(), folder.slice(2)) : folder || ".";
  try {
    return readdirSync(place, { withFileTypes: true })
      .filter((entry) => entry.name.startsWith(name) && (name !== "" || entry.name[0] !== "."))
      .map((entry) => `${folder}${entry.name}${entry.isDirectory() ? "/" : ""}`)
      .sort();
  } catch {
    return []; // no such folder: there is nothing to complete
  }
}
