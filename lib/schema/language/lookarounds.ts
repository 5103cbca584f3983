import type { AST } from "@eslint-community/regexpp";
import { parseRegex } from "./regex-syntax.js";

/** A pattern that must be found in a text, or must not. */
export interface PatternPart {
  readonly source: string;
  readonly negated: boolean;
}

/**
 * Of `^(?=a)(?!b)c(?<!d)$`, `^a`, no `^b`, no `d$`, and `^c$`, which together say the same of a text. One
 * by one they may have few states where all of them together have many, and what is longer than a
 * character is looked back for in no other way. undefined where there are none at these places, or it
 * cannot be read.
 */
export function lookaroundsApart(source: string): readonly PatternPart[] | undefined {
  const whole = readable(source);
  const [only, other] = whole?.pattern.alternatives ?? [];
  if (only === undefined || other !== undefined) return undefined;
  const { elements } = only;
  const ahead = isEdge(elements[0], "start") ? assertions("lookahead", elements.slice(1)) : [];
  const reversed = elements.toReversed();
  const behind = isEdge(reversed[0], "end") ? assertions("lookbehind", reversed.slice(1)) : [];
  if (ahead.length + behind.length === 0) return undefined;
  const parts: PatternPart[] = [
    ...ahead.map((look) => ({ source: `^${grouped(look)}`, negated: look.negate })),
    ...behind.map((look) => ({ source: `${grouped(look)}$`, negated: look.negate })),
  ];
  const rest = source.slice(ahead.at(-1)?.end ?? 0, behind.at(-1)?.start);
  const start = ahead.length > 0 ? "^" : "";
  parts.push({ source: start + rest + (behind.length > 0 ? "$" : ""), negated: false });
  // A part may be read in another way than it is within all.
  const isReadAlike = (part: PatternPart) => readable(part.source)?.unicode === whole?.unicode;
  return parts.every(isReadAlike) ? parts : undefined;
}

export function isEdge(element: AST.Element | undefined, kind: "start" | "end"): boolean {
  return element?.type === "Assertion" && element.kind === kind;
}

/** Those that come first. */
function assertions(
  kind: AST.LookaroundAssertion["kind"],
  elements: readonly AST.Element[],
): AST.LookaroundAssertion[] {
  const found: AST.LookaroundAssertion[] = [];
  for (const element of elements) {
    if (element.type !== "Assertion" || element.kind !== kind) break;
    found.push(element);
  }
  return found;
}

function grouped({ alternatives }: AST.LookaroundAssertion): string {
  return `(?:${alternatives.map(({ raw }) => raw).join("|")})`;
}

/** undefined for what is no pattern, or is nested too deeply. */
function readable(source: string): ReturnType<typeof parseRegex> | undefined {
  try {
    return parseRegex(source);
  } catch {
    return undefined;
  }
}

/** Whether a lookahead asks for more than the next character, which any place can ask for. */
export function isLookahead(element: AST.Element): boolean {
  const looks = element.type === "Assertion" && element.kind === "lookahead";
  return looks && lookedFor(element) === undefined;
}

export type OneCharacter = AST.Character | AST.CharacterClass | AST.CharacterSet;

/** Of a lookaround that asks for one of some characters, those. */
export function lookedFor({
  alternatives,
}: AST.LookaroundAssertion): readonly OneCharacter[] | undefined {
  const characters = alternatives.map(({ elements: [first, other] }) =>
    first !== undefined && other === undefined && isCharacter(first) ? first : undefined,
  );
  return characters.every((one) => one !== undefined) ? characters : undefined;
}

function isCharacter(element: AST.Element): element is OneCharacter {
  return ["Character", "CharacterClass", "CharacterSet"].includes(element.type);
}

export function hasLookahead(element: AST.Element): boolean {
  switch (element.type) {
    case "Group":
    case "CapturingGroup":
      return element.alternatives.some(({ elements }) => elements.some(hasLookahead));
    case "Quantifier":
      return hasLookahead(element.element);
    default:
      return isLookahead(element);
  }
}

/** What an element that comes once at most can stand for; undefined for one that is repeated. */
export function waysOf(element: AST.Element): readonly (readonly AST.Element[])[] | undefined {
  switch (element.type) {
    case "Group":
    case "CapturingGroup":
      if (element.type === "Group" && element.modifiers !== null) return undefined;
      return element.alternatives.map(({ elements }) => elements);
    case "Quantifier":
      if (element.max > 1) return undefined;
      return [
        ...(element.min === 0 ? [[]] : []),
        ...(element.max === 1 ? [[element.element]] : []),
      ];
    default:
      return [[element]];
  }
}

/** Whether an element asks for what is before it; at the start of a text a word's edge does not. */
export function looksBack(element: AST.Element, atStart: boolean): boolean {
  switch (element.type) {
    case "Assertion":
      if (element.kind === "lookahead") return someLooksBack(element.alternatives, atStart);
      return element.kind !== "end" && !atStart;
    case "Group":
    case "CapturingGroup":
      return someLooksBack(element.alternatives, atStart);
    case "Quantifier":
      return looksBack(element.element, atStart);
    default:
      return false;
  }
}

function someLooksBack(alternatives: readonly AST.Alternative[], atStart: boolean): boolean {
  return alternatives.some(({ elements }) => elements.some((one) => looksBack(one, atStart)));
}
