import { CriaError } from "../internal/errors.js";
import { templateTexts } from "../messages/template-texts.js";
import type { LoadedModel } from "../model/loaded-model.js";
import { promptToString } from "../model/prompt.js";
import { readGuardOptions } from "./guard-policy.js";
import { guardPrompt } from "./guard-prompt.js";
import { type GuardVariant, LLAMA_GUARD_3_CATEGORIES } from "./guard-types.js";

const CONTROL = /<\|(?:begin_of_text|start_header_id|end_header_id|eot_id)\|>/g;

/** Names that the templates look for. The 1B model's may look for images, as Vision's does. */
const NAMES = new Set([
  ...["role", "content", "type", "text", "image", "equalto", "user", "assistant", "<|image|>"],
  ...["User", "Agent", ":", "'"],
]);

/** The wording of the two prompts. */
const WORDING = (["llama-guard-3-8b", "llama-guard-3-1b"] as const).flatMap((variant) =>
  (["user", "assistant"] as const).map((role) =>
    promptToString(guardPrompt([{ role, text: "" }], readGuardOptions({ variant }))),
  ),
);

/**
 * The variant that a template belongs to, or a description of what it is instead. It belongs to a variant
 * if it lists its categories under their codes and prints what its prompt says, and nothing else: another
 * wording or policy is another model's.
 */
export function recogniseGuard(
  template: string | null,
): { readonly variant: GuardVariant } | { readonly seen: string } {
  if (template === null) return { seen: "no chat template" };
  const texts = templateTexts(template)?.map((text) => text.trim());
  if (texts === undefined) return { seen: "a chat template that does not end well" };
  const printed = texts.join("\n");
  if (!printed.includes("UNSAFE CONTENT CATEGORIES")) {
    return {
      seen: printed.includes("<|start_header_id|>")
        ? "the chat template of a plain Llama 3 model, which answers and does not judge"
        : "a chat template that does not ask for a judgement",
    };
  }
  if (printed.includes("<|header_start|>")) return { seen: "the template of Llama Guard 4" };
  if (/\bO1:/.test(printed) || printed.includes("[INST]")) {
    return { seen: "the template of Llama Guard 1" };
  }
  const policy = policyIn(printed);
  if (policy === policyOf(11, LLAMA_GUARD_2)) return { seen: "the template of Llama Guard 2" };
  const variant =
    policy === policyOf(14) ? "llama-guard-3-8b" : policy === policyOf(13) && "llama-guard-3-1b";
  if (!variant) return { seen: "a template of the kind of Llama Guard's with another policy" };
  if (!texts.every(isWording)) {
    return { seen: "a template of the kind of Llama Guard 3's in another wording" };
  }
  return { variant };
}

const OTHER = /Llama Guard [124]$/;

/** @throws {CriaError} ERR_UNSUPPORTED */
export function guardVariant(model: LoadedModel): GuardVariant {
  const recognised = recogniseGuard(model.chatTemplate);
  if ("variant" in recognised) return recognised.variant;
  const advice = OTHER.test(recognised.seen)
    ? "it is asked in another prompt, and its codes mean other categories; load a Llama Guard 3"
    : "load another, or give `options.variant` if you know that it is one";
  throw new CriaError(
    "ERR_UNSUPPORTED",
    `Expected a Llama Guard 3 model (8B or 1B), got one with ${recognised.seen}: ${advice}`,
    { details: { seen: recognised.seen } },
  );
}

/** The names of Llama Guard 2's categories: from S5 on its codes mean something else. */
const LLAMA_GUARD_2 = LLAMA_GUARD_3_CATEGORIES.map(({ name }) => name).filter(
  (name) => name !== "Defamation",
);

function policyOf(count: number, names = LLAMA_GUARD_3_CATEGORIES.map(({ name }) => name)): string {
  return names
    .slice(0, count)
    .map((name, index) => `S${index + 1} ${name}`)
    .join(", ");
}

/** The codes with their names, from one text or from a dictionary's literals. */
function policyIn(printed: string): string {
  return [...printed.matchAll(/\b([A-Z][0-9]{1,2}):?\s+([A-Z][A-Za-z -]*)\./g)]
    .map(([, code, name]) => `${code} ${name}`)
    .join(", ");
}

/** Compares line by line, since a template may break its texts anywhere. */
function isWording(text: string): boolean {
  return text
    .replace(CONTROL, "\n")
    .split("\n")
    .map((line) => line.trim())
    .every((line) => line === "" || NAMES.has(line) || WORDING.some((one) => one.includes(line)));
}
