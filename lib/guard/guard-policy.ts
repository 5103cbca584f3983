import { list, number, oneOf, readOptions } from "../internal/checks.js";
import { expected, invalid, show } from "../internal/errors.js";
import { optionNames } from "../internal/option-names.js";
import {
  type GuardCategory,
  type GuardOptions,
  type GuardVariant,
  LLAMA_GUARD_3_CATEGORIES,
} from "./guard-types.js";

/** What is judged and how: a checked copy of the options, with defaults. */
export interface GuardPolicy {
  readonly variant: GuardVariant;
  /** The categories that the prompt lists. */
  readonly categories: readonly GuardCategory[];
  readonly threshold: number;
}

/** Meta's categories for each variant: only the 8B model judges S14. */
const VARIANTS: Readonly<Record<GuardVariant, readonly GuardCategory[]>> = {
  "llama-guard-3-8b": LLAMA_GUARD_3_CATEGORIES,
  "llama-guard-3-1b": LLAMA_GUARD_3_CATEGORIES.slice(0, 13),
};
const GUARD_OPTIONS = optionNames("LlamaGuard", ["variant", "categories", "exclude", "threshold"]);
const NAMES = Object.keys(VARIANTS) as GuardVariant[];
const CODE = /^[A-Z]{1,4}[1-9][0-9]{0,2}$/;

/**
 * @param recognise finds the variant of the model if the options do not name one
 * @throws {CriaError} ERR_INVALID_ARGUMENT; what `recognise` throws
 */
export function readGuardOptions(
  given: GuardOptions | undefined,
  recognise: () => GuardVariant = () => "llama-guard-3-8b",
): GuardPolicy {
  const options = readOptions(given, "options", GUARD_OPTIONS);
  const { variant: asked = "auto", threshold = 0.5 } = options;
  oneOf(asked, "options.variant", ["auto", ...NAMES]);
  number(threshold, "options.threshold", 0, 1);
  const { categories: listed, exclude = [] } = options;
  const own = listed === undefined ? undefined : readCategories(listed, "options.categories");
  const excluded = readCodes(exclude, "options.exclude");
  const variant = asked === "auto" ? recognise() : asked;
  const all = own ?? VARIANTS[variant];
  // Codes that only the other policy lists may be excluded, too: options may serve both.
  const codes = [...new Set([...all, ...LLAMA_GUARD_3_CATEGORIES].map(({ code }) => code))];
  for (const [index, code] of excluded.entries()) {
    oneOf(code, `options.exclude[${index}]`, codes);
  }
  const categories = all.filter(({ code }) => !excluded.includes(code));
  if (categories.length === 0) {
    throw expected("at least one category that is not excluded", "options.exclude", excluded);
  }
  return { variant, categories: Object.freeze(categories), threshold };
}

function readCategories(value: unknown, name: string): GuardCategory[] {
  const categories = list(value, name, "an array of categories", readCategory);
  if (categories.length === 0) throw expected("at least one category", name, value);
  const seen = new Set<string>();
  for (const [index, { code }] of categories.entries()) {
    if (seen.has(code)) {
      throw invalid(`\`${name}[${index}].code\` is ${show(code)}, as one before it is`, { name });
    }
    seen.add(code);
  }
  return categories;
}

function readCategory(value: unknown, at: string): GuardCategory {
  const given = value as GuardCategory | undefined;
  const read = readOptions(given, at, ["code", "name", "description"]);
  const { code, name, description } = read;
  if (typeof code !== "string" || !CODE.test(code)) throw malformed(`${at}.code`, code);
  if (typeof name !== "string" || !/^[^\r\n]*\S[^\r\n]*$/.test(name)) {
    throw expected("a name on one line", `${at}.name`, name);
  }
  if (description === undefined) return Object.freeze({ code, name });
  if (typeof description !== "string" || description.trim() === "") {
    throw expected("a non-empty string", `${at}.description`, description);
  }
  return Object.freeze({ code, name, description });
}

function readCodes(value: unknown, name: string): string[] {
  return list(value, name, "an array of category codes", (code, at) => {
    if (typeof code === "string" && CODE.test(code)) return code;
    throw malformed(at, code);
  });
}

function malformed(name: string, code: unknown): Error {
  return expected('a code: capital letters and a number, such as "S1",', name, code);
}

/** Whether a word of a reply has the shape of a code, whatever its case. */
export function isCode(word: string): boolean {
  return CODE.test(word.toUpperCase());
}
