import { readFileSync } from "node:fs";
import { join } from "node:path";
import { recogniseGuard } from "../../lib/guard/recognise-guard.js";
import {
  type Context,
  LlamaGuard,
  Model,
  promptToString,
  renderGuardPrompt,
} from "../../lib/index.js";
import { GUARD_1, GUARD_2, GUARD_4, GUARD_8B, guard1B } from "../support/guard-templates.js";
import { MODEL, ROOT } from "../support/paths.js";
import { render, TEMPLATES, template } from "../support/templates.js";
import { vocabularyFile } from "../support/vocabularies.js";

let model: Model;
let context: Context;
beforeAll(async () => {
  model = await Model.load(MODEL);
  context = await model.createContext({ contextSize: 512 });
});
afterAll(() => model.dispose());

const seen = (template: string | null) => {
  const recognised = recogniseGuard(template);
  return "seen" in recognised ? recognised.seen : recognised.variant;
};
const code = (code: string) => expect.objectContaining({ code });

/** The demo model with another template. */
function withTemplate(chatTemplate: string | null): Context {
  const other = new Proxy(model, {
    get: (target, key) => {
      if (key === "chatTemplate") return chatTemplate;
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  return new Proxy(context, {
    get: (target, key) => {
      if (key === "model") return other;
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

test("both variants are recognised by what their templates print", () => {
  expect(recogniseGuard(GUARD_8B)).toEqual({ variant: "llama-guard-3-8b" });
  expect(recogniseGuard(guard1B(false))).toEqual({ variant: "llama-guard-3-1b" });
  expect(recogniseGuard(guard1B(true))).toEqual({ variant: "llama-guard-3-1b" });
});

test("these templates print what the prompts say", async () => {
  const llama = await Model.load(vocabularyFile("llama-bpe"), { vocabOnly: true });
  const chat = [
    { role: "user", content: "Hi" },
    { role: "assistant", content: "Hello" },
  ] as const;
  const printed = promptToString(render(llama, GUARD_8B, chat), llama);
  // The 8B template's stray space stands behind the BOS that every text gets.
  expect(printed.replace("<|begin_of_text|> ", "")).toBe(promptToString(renderGuardPrompt(chat)));
  await llama.dispose();
});

test.each<[string, string | null, RegExp]>([
  ["none", null, /no chat template/],
  ["of Llama Guard 1", GUARD_1, /Llama Guard 1/],
  ["of Llama Guard 2", GUARD_2, /Llama Guard 2/],
  ["of Llama Guard 4", GUARD_4, /Llama Guard 4/],
  ["of another policy", GUARD_8B.replace("Privacy", "Secrets"), /another policy/],
  ["of a policy renumbered", GUARD_8B.replace("S5: Defamation.\\n", ""), /another policy/],
  ["of a category more", GUARD_8B.replace("<END UNSAFE", "S15: Spam.\\n<END UNSAFE"), /policy/],
  ["in another wording", GUARD_8B.replace("according our", "according to our"), /wording/],
  ["with more to say", GUARD_8B.replace("<END CONV", "Be strict.\\n<END CONV"), /wording/],
  ["of other control tokens", GUARD_8B.replaceAll("<|eot_id|>", "<|im_end|>"), /wording/],
  ["cut off", GUARD_8B.slice(0, -3), /does not end well/],
  ["empty", "", /does not ask for a judgement/],
])("a template %s is refused, with what was seen", (_, text, what) => {
  expect(seen(text)).toMatch(what);
  const guard = () => new LlamaGuard(withTemplate(text));
  expect(guard).toThrow(code("ERR_UNSUPPORTED"));
  expect(guard).toThrow(what);
});

test.each([GUARD_1, GUARD_2, GUARD_4])("another Llama Guard is not to be taken for one", (text) => {
  const guard = () => new LlamaGuard(withTemplate(text));
  expect(guard).toThrow(/its codes mean other categories/);
  expect(guard).not.toThrow(/options.variant/);
});

test.each(TEMPLATES)("%s is no Llama Guard's", (name) => {
  expect(seen(template(name))).toMatch(/plain Llama 3|does not ask for a judgement/);
});

test("a plain Llama 3 is refused at once, and a given variant is not looked at", () => {
  const demo = readFileSync(join(ROOT, "scripts/demo-model/chat-template.jinja"), "utf8");
  expect(seen(demo)).toMatch(/plain Llama 3/);
  for (const options of [undefined, {}, { variant: "auto" }] as const) {
    expect(() => new LlamaGuard(context, options)).toThrow(code("ERR_UNSUPPORTED"));
    expect(() => new LlamaGuard(context, options)).toThrow(/plain Llama 3/);
  }
  expect(new LlamaGuard(context, { variant: "llama-guard-3-1b" })).toBeInstanceOf(LlamaGuard);
});

test("a recognised model is asked in its own variant", async () => {
  const attack = "How can I attack a stranger?";
  for (const text of [GUARD_8B, guard1B(false)]) {
    const guard = new LlamaGuard(withTemplate(text));
    const verdict = await guard.moderate(attack);
    expect(verdict).toMatchObject({ safe: false, categories: [{ code: "S1" }] });
    const variant = text === GUARD_8B ? "llama-guard-3-8b" : "llama-guard-3-1b";
    const same = await new LlamaGuard(context, { variant }).moderate(attack);
    expect(verdict.score).toBeCloseTo(same.score, 6);
  }
});

test("a vocabulary without what the prompts are made of is refused", async () => {
  const qwen = await Model.load(vocabularyFile("qwen2"), { vocabOnly: true });
  const foreign = new Proxy(context, {
    get: (target, key) => (key === "model" ? qwen : Reflect.get(target, key, target)) as unknown,
  });
  const guard = () => new LlamaGuard(foreign, { variant: "llama-guard-3-8b" });
  expect(guard).toThrow(code("ERR_UNSUPPORTED"));
  expect(guard).toThrow("<|begin_of_text|>");
  await qwen.dispose();
});
