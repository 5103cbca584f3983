import type { ParsedToolCall } from "../../messages/tool-types.js";

/** A call before it has its id. */
export interface FoundCall {
  readonly format: ParsedToolCall["format"];
  readonly name: string;
  /** JSON text of an object. */
  readonly arguments: string;
  readonly problem?: string;
  readonly source?: string;
}

/** Calls at the beginning of what was read. They end at `length`. */
export interface Calls {
  readonly calls: readonly FoundCall[];
  readonly length: number;
}

/** What may have been a call, as far as it was read. */
export type Outcome =
  | Calls
  /** JSON that is none. */
  | "value"
  /** Half a call or a broken one: text, also where anything else is code. */
  | "text"
  /** Something else. */
  | "other";

/** A call that must not be carried out, with what the model wrote. */
export function brokenCall(
  { name, format }: Pick<FoundCall, "name" | "format">,
  problem: string,
  source = "",
): FoundCall {
  return { format, name, arguments: "{}", problem, source };
}
