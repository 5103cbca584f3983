import { string } from "../internal/checks.js";
import { CriaError, show } from "../internal/errors.js";
import { isCode, readGuardOptions } from "./guard-policy.js";
import type { GuardCategory, GuardOptions, GuardVerdict } from "./guard-types.js";

/** Only the spaces and line ends that models put around words are ignored. */
const SAFE = /^[ \t\r\n]*safe[ \t\r\n]*$/i;
const UNSAFE = /^[ \t\r\n]*unsafe/i;
/** What may stand between codes and around them: "[S1, s2]", "S1: Violent Crimes". */
const BETWEEN = /[\s,;]+/;
const AROUND = /^[["'(*]+|[\])"'*.:]+$/g;
const LONGEST_WORD = 32;

/**
 * A reply of Llama Guard 3, read so that it fails closed. Safe is only the word `safe`, of either
 * case, with nothing but spaces and line ends around it. What begins with `unsafe` is unsafe,
 * whatever follows; the codes behind it may be of either case, on one line or several, and end with
 * the first word that is none. All else is unreadable: `safe` with codes behind it, too.
 *
 * @param options of the prompt that was answered: its categories. Without `variant` those of 8B
 * @example
 * parseGuardVerdict("unsafe\nS1,S10").categories.map(({ name }) => name); // ["Violent Crimes", "Hate"]
 * @throws {CriaError} ERR_GUARD_UNREADABLE, ERR_INVALID_ARGUMENT
 */
export function parseGuardVerdict(
  text: string,
  options?: GuardOptions,
): Omit<GuardVerdict, "score" | "judged"> {
  return readVerdict(string(text, "text"), readGuardOptions(options).categories);
}

export function readVerdict(
  raw: string,
  known: readonly GuardCategory[],
): Omit<GuardVerdict, "score" | "judged"> {
  if (SAFE.test(raw)) return { safe: true, categories: [], unknownCodes: [], raw };
  const unsafe = UNSAFE.exec(raw);
  if (unsafe === null) {
    throw new CriaError(
      "ERR_GUARD_UNREADABLE",
      `Expected a reply of Llama Guard, "safe" or "unsafe" with codes, got ${show(raw)}: take the ` +
        "message for unsafe, or see whether the model is a Llama Guard 3",
      { details: { raw } },
    );
  }
  const codes = new Set<string>();
  for (const piece of raw.slice(unsafe[0].length).split(BETWEEN)) {
    const word = piece.length > LONGEST_WORD ? piece : piece.replace(AROUND, "");
    if (word === "") continue;
    if (!isCode(word)) break;
    codes.add(word.toUpperCase());
  }
  return {
    safe: false,
    categories: known.filter(({ code }) => codes.has(code)),
    unknownCodes: [...codes].filter((code) => !known.some((one) => one.code === code)),
    raw,
  };
}
