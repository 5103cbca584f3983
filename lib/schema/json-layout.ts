import {
  choice,
  EMPTY,
  type Expression,
  type GrammarRules,
  sequence,
  set,
  text,
  use,
} from "./grammar-rules.js";

/**
 * What may stand between the parts of a JSON text:
 *
 * - `"none"`: nothing;
 * - `"spaces"`: a space behind each comma and colon, or none;
 * - `"lines"`: around each part a space, or one or two line ends with up to 20 spaces or tabs, or nothing.
 */
export type WhiteSpace = "none" | "spaces" | "lines";

export const WHITE_SPACES: readonly WhiteSpace[] = ["none", "spaces", "lines"];

/** JSON's punctuation with what may stand around it. */
export interface Layout {
  readonly colon: Expression;
  readonly comma: Expression;
  /** Behind an opening bracket, and before a closing one. */
  readonly inside: Expression;
}

const MAX_INDENT = 20;

export function layoutOf(whiteSpace: WhiteSpace, rules: GrammarRules): Layout {
  if (whiteSpace === "none") return { colon: text(":"), comma: text(","), inside: EMPTY };
  const space = choice(text(" "), EMPTY);
  if (whiteSpace === "spaces") {
    const gap = use(rules.define("gap", space));
    return { colon: sequence(text(":"), gap), comma: sequence(text(","), gap), inside: EMPTY };
  }
  let indent: Expression = EMPTY;
  for (let i = 0; i < MAX_INDENT; i++) {
    const more = sequence(set([0x09, 0x09, 0x20, 0x20]), indent);
    indent = use(rules.define("indent", choice(more, EMPTY)));
  }
  const line = sequence(text("\n"), choice(text("\n"), EMPTY), indent);
  const gap = use(rules.define("gap", choice(line, text(" "), EMPTY)));
  return {
    colon: sequence(gap, text(":"), gap),
    comma: sequence(gap, text(","), gap),
    inside: gap,
  };
}
