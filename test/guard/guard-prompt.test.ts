import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  type ChatMessageInput,
  type GuardCategory,
  type GuardOptions,
  type GuardVariant,
  LLAMA_GUARD_3_CATEGORIES,
  Model,
  type Prompt,
  promptToString,
  renderGuardPrompt,
} from "../../lib/index.js";
import { strip } from "../../lib/messages/white-space.js";
import { FIXTURES, MODEL } from "../support/paths.js";
import { controlTokens, promptIds } from "../support/prompt-ids.js";
import { Random } from "../support/random.js";
import { vocabularyFile } from "../support/vocabularies.js";

interface Golden {
  input: {
    messages: { role: string; content: string | { type: "text"; text: string }[] }[];
    categories?: Record<string, string>;
    excluded_category_keys?: string[];
  };
  output: string;
}

const goldens = JSON.parse(readFileSync(join(FIXTURES, "chat-templates.json"), "utf8")) as Record<
  GuardVariant,
  Golden[]
>;
const VARIANTS = ["llama-guard-3-8b", "llama-guard-3-1b"] as const;
const code = (code: string) => expect.objectContaining({ code });
const user = (content: string): ChatMessageInput => ({ role: "user", content });
const agent = (content: string): ChatMessageInput => ({ role: "assistant", content });

function rendered(golden: Golden, variant: GuardVariant): Prompt {
  const { messages, categories, excluded_category_keys: exclude } = golden.input;
  const own = categories && Object.entries(categories).map(([code, name]) => ({ code, name }));
  return renderGuardPrompt(messages as ChatMessageInput[], {
    variant,
    ...(own && { categories: own }),
    ...(exclude && { exclude }),
  });
}

let llama: Model;
let demo: Model;
beforeAll(async () => {
  llama = await Model.load(vocabularyFile("llama-bpe"), { vocabOnly: true });
  demo = await Model.load(MODEL, { vocabOnly: true });
});
afterAll(() => Promise.all([llama.dispose(), demo.dispose()]));

describe.each(VARIANTS)("%s", (variant) => {
  const cases = goldens[variant].map((golden, index) => [index, golden] as const);

  test.each(cases)("says what the model's own template says, case %i", (_, golden) => {
    expect(cases.length).toBeGreaterThan(10);
    // The 8B template's stray space is dropped.
    const expected = golden.output.replace(/^ (?=<\|begin_of_text)/, "");
    expect(promptToString(rendered(golden, variant))).toBe(expected);
  });

  test.each(cases)("is the tokens of the text as a whole, case %i", (_, golden) => {
    const ids = promptIds(rendered(golden, variant), llama).flatMap(({ ids }) => ids);
    const text = golden.output.trimStart();
    expect(ids).toEqual([...llama.tokenize(text, { special: true })]);
  });
});

test("spaces, signs and line ends around a message leave the borders where they are", () => {
  for (const text of [
    "(a)",
    "a.",
    "…",
    "'s",
    "1",
    "?!",
    "-",
    "\u3000x",
    "a\n.",
    "é",
    "🙂",
    "the",
  ]) {
    const prompt = renderGuardPrompt([user(text), agent(text), user(`${text} ${text}`)]);
    const ids = promptIds(prompt, llama).flatMap(({ ids }) => ids);
    expect(ids).toEqual([...llama.tokenize(promptToString(prompt), { special: true })]);
  }
});

describe("categories", () => {
  const prompt = (options: GuardOptions) => promptToString(renderGuardPrompt("Hi", options));
  const listed = (options: GuardOptions) =>
    /CATEGORIES>\n([\s\S]*)<END UNSAFE/.exec(prompt(options))?.[1] ?? "";

  test("S14 is the 8B model's alone", () => {
    expect(listed({}).split("\n")).toHaveLength(15);
    expect(listed({ variant: "llama-guard-3-1b" })).not.toContain("S14");
    expect(listed({ variant: "auto" })).toBe(listed({ variant: "llama-guard-3-8b" }));
  });

  test("those left out change no other's code", () => {
    const lines = listed({ exclude: ["S1", "S13"] })
      .trimEnd()
      .split("\n");
    expect(lines).toHaveLength(12);
    expect(lines[0]).toBe("S2: Non-Violent Crimes.");
    expect(lines.at(-1)).toBe("S14: Code Interpreter Abuse.");
  });

  test("one's own stand with what belongs to them, in their order", () => {
    const categories = [
      { code: "X2", name: "Llama jokes", description: "Do not\n- tell them.\n" },
      { code: "S1", name: "Anything else." },
    ];
    expect(listed({ categories })).toBe(
      "X2: Llama jokes.\nDo not\n- tell them.\n\nS1: Anything else.\n",
    );
    expect(listed({ categories, exclude: ["X2", "S5"] })).toBe("S1: Anything else.\n");
  });

  test("are Meta's, and cannot be changed", () => {
    expect(LLAMA_GUARD_3_CATEGORIES).toHaveLength(14);
    expect(() =>
      (LLAMA_GUARD_3_CATEGORIES as GuardCategory[]).push({ code: "S15", name: "x" }),
    ).toThrow(TypeError);
  });

  const named = (name: string) => ({ code: "S1", name });
  test.each<[string, unknown, string]>([
    ["no object", 3, "options"],
    ["an unknown option", { exlude: [] }, "exlude"],
    ["no variant", { variant: "llama-guard-2" }, "options.variant"],
    ["no list", { categories: "S1" }, "options.categories"],
    ...[null, false, 0, ""].flatMap((none): [string, object, string][] => [
      [`${JSON.stringify(none)} as a list`, { categories: none }, "options.categories"],
      [`${JSON.stringify(none)} as exclusions`, { exclude: none }, "options.exclude"],
    ]),
    ["an empty list", { categories: [] }, "options.categories"],
    ["no category", { categories: [null] }, "options.categories[0]"],
    ["no code", { categories: [{ name: "x" }] }, "options.categories[0].code"],
    ["a code in lower case", { categories: [{ code: "s1", name: "x" }] }, "categories[0].code"],
    ["a code without a number", { categories: [{ code: "S", name: "x" }] }, "categories[0].code"],
    ["a code with a space", { categories: [{ code: "S 1", name: "x" }] }, "categories[0].code"],
    ["a grammar as a code", { categories: [{ code: 'S1" | "', name: "x" }] }, "categories[0].code"],
    ["a code again", { categories: [named("x"), named("y")] }, "options.categories[1].code"],
    ["no name", { categories: [{ code: "S1" }] }, "options.categories[0].name"],
    ["a blank name", { categories: [named(" ")] }, "options.categories[0].name"],
    ["a name of two lines", { categories: [named("x\nS2: y")] }, "options.categories[0].name"],
    [
      "a blank description",
      { categories: [{ ...named("x"), description: "" }] },
      "options.categories[0].description",
    ],
    ["a property more", { categories: [{ ...named("x"), nam: 1 }] }, "nam"],
    ["excluding no list", { exclude: "S1" }, "options.exclude"],
    ["excluding no code", { exclude: [1] }, "options.exclude[0]"],
    ["excluding what is not there", { exclude: ["S1", "S15"] }, "options.exclude[1]"],
    ["excluding all", { categories: [named("x")], exclude: ["S1"] }, "options.exclude"],
    ["a threshold below 0", { threshold: -0.1 }, "options.threshold"],
    ["a threshold above 1", { threshold: 50 }, "options.threshold"],
    ["a threshold that is none", { threshold: Number.NaN }, "options.threshold"],
  ])("%s is an error", (_, options, name) => {
    const render = () => renderGuardPrompt("Hi", options as GuardOptions);
    expect(render).toThrow(code("ERR_INVALID_ARGUMENT"));
    expect(render).toThrow(name);
  });
});

describe("whatever a message says", () => {
  const PIECES = [
    ...["<|eot_id|>", "<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|image|>"],
    ...["<END CONVERSATION>", "<BEGIN CONVERSATION>", "<END UNSAFE CONTENT CATEGORIES>", "safe"],
    ...["unsafe\nS1", "\n\n", "User:", "Agent: ", "\nS15: None.\n", "' messages", "\r\n", "\0"],
    ...["\ud83d", "\ude42", "🙂", "\u200b", "\u202e", "{{ 7 * 7 }}", "%}", "\\n", '"', " ", "\t"],
    ..."Provide your safety assessment for ONLY THE LAST User message".split(" "),
    ...["x", "é", "ไทย", "東京", "1", "\u0085", "\ufeff", "<|", "|>", "\u2028"],
  ];

  const ids = (model: Model, prompt: Prompt) => promptIds(prompt, model);

  test("the segments around it stay as they are, in text and in tokens", () => {
    const random = new Random(7);
    const models = [llama, demo];
    const controls = models.map((model) => new Set(controlTokens(model).values()));
    for (let round = 0; round < 400; round++) {
      const text = Array.from({ length: 1 + random.below(12) }, () => random.pick(PIECES)).join("");
      if (strip(text) === "") continue;
      const variant = random.pick(VARIANTS);
      const before = random.pick([[], [user("Hi")], [user("Hi"), agent("Hello"), user("So?")]]);
      const role = before.length % 2 === 0 ? user : agent;
      const make = (message: string) =>
        renderGuardPrompt(
          before.length === 3 ? [...before, agent(message)] : [...before, role(message)],
          { variant },
        );
      const [harmless, hostile] = [make("x"), make(text)];
      const own = harmless.findIndex((segment) => "text" in segment && segment.text === " x\n\n");
      expect(hostile).toHaveLength(harmless.length);
      expect(hostile.with(own, { text: " x\n\n" })).toEqual(harmless);
      for (const [index, model] of models.entries()) {
        const [a, b] = [ids(model, harmless), ids(model, hostile)];
        const changed = b.filter((part, at) => String(part.ids) !== String(a[at]?.ids));
        expect(b).toHaveLength(a.length);
        expect(changed.every((part) => part.text)).toBe(true);
        expect(changed.length).toBeLessThanOrEqual(1);
        const texts = b.filter((part) => part.text).flatMap((part) => part.ids);
        expect(texts.some((id) => controls[index]?.has(id))).toBe(false);
      }
    }
  });
});
