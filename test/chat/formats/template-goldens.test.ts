// Prompts of the templates that llama.cpp collects, against another engine for Jinja: every byte.
import { Template } from "@huggingface/jinja";
import { type ChatMessageInput, Model, promptToString } from "../../../lib/index.js";
import { tool } from "../../support/conversations.js";
import { render, TEMPLATES, template } from "../../support/templates.js";
import { vocabularyFile } from "../../support/vocabularies.js";

const DATE = "26 Jul 2024";
const question = { role: "user", content: "What is the capital of Peru?" } as const;
const called = (args: unknown) => ({
  ...{ role: "assistant", content: null },
  // Mistral's templates want ids of this form.
  tool_calls: [
    {
      id: "abcdefgh1",
      type: "function",
      function: { name: "find_capital", arguments: args },
    },
  ],
});
const RESULT = { role: "tool", tool_call_id: "abcdefgh1", name: "find_capital" };

const CONVERSATIONS = {
  plain: [question, { role: "assistant", content: "Lima." }, { role: "user", content: "Sure?" }],
  system: [{ role: "system", content: "Answer in one word." }, question],
  tools: [question],
  calls: [question, called('{"country":"Peru"}'), { ...RESULT, content: '{"capital":"Lima"}' }],
} as unknown as Readonly<Record<string, readonly ChatMessageInput[]>>;
type Kind = "plain" | "system" | "tools" | "calls";
const KINDS: readonly Kind[] = ["plain", "system", "tools", "calls"];

/** Why a prompt is another one. */
const REASONS = {
  described: "the template has no place for tools: they are described (docs/templates.md)",
  results: "it has none for calls or results: they are written out (docs/templates.md)",
  merged: "it refuses a system message, which becomes part of the user's",
  grouped: "its results belong into the message of their call, where no OpenAI message has them",
  filter: "the other engine lacks a filter; jinja2 3.1.6 writes the same prompt",
  keys: "the other engine has no numbers as keys; jinja2 3.1.6 writes the same prompt",
  append: "the other engine has no list.append(); jinja2 3.1.6 writes the same prompt",
  callables: "the other engine lacks a function; jinja2 3.1.6 writes the same prompt",
  unpacking: "the other engine cannot unpack a tuple; jinja2 3.1.6 writes the same prompt",
} as const;
type Reason = keyof typeof REASONS;

/** What the other engine says where it is the reason. */
const GAPS: Partial<Record<Reason, RegExp>> = {
  merged: /System role not supported/,
  filter: /Unknown \w+ filter/,
  keys: /Object keys must be strings/,
  append: /Cannot call something that is not a function/,
  callables: /Cannot call something that is not a function/,
  unpacking: /Cannot unpack/,
};

const toolsAre = (reason: Reason) => ({ tools: reason, calls: reason });
const allAre = (reason: Reason) => ({ plain: reason, system: reason, ...toolsAre(reason) });
const DIFFERENCES: Readonly<Record<string, Partial<Record<Kind, Reason>>>> = {
  "Apriel-1.6-15b-Thinker-fixed": toolsAre("filter"),
  "ByteDance-Seed-OSS": allAre("keys"),
  "HuggingFaceTB-SmolLM3-3B": toolsAre("described"),
  "Kimi-K2-Instruct": { calls: "append" },
  "Kimi-K2-Thinking": { calls: "append" },
  "LFM2-8B-A1B": { calls: "results" },
  "LFM2.5-Instruct": { calls: "results" },
  "deepseek-ai-DeepSeek-R1-Distill-Llama-8B": toolsAre("described"),
  "deepseek-ai-DeepSeek-R1-Distill-Qwen-32B": toolsAre("described"),
  "deepseek-ai-DeepSeek-V3.1": toolsAre("described"),
  "fireworks-ai-llama-3-firefunction-v2": toolsAre("described"),
  "google-gemma-2-2b-it": { system: "merged", ...toolsAre("described") },
  "google-gemma-4-31B-it-interleaved": { calls: "grouped" },
  "ibm-granite-granite-3.3-2B-Instruct": toolsAre("described"),
  "llama-cpp-rwkv-world": toolsAre("described"),
  "meetkai-functionary-medium-v3.2": toolsAre("unpacking"),
  "microsoft-Phi-3.5-mini-instruct": toolsAre("described"),
  "openbmb-MiniCPM5-1B": { calls: "filter" },
  "tencent-Hy3": allAre("callables"),
  "unsloth-Apriel-1.5": toolsAre("filter"),
};

let model: Model;
beforeAll(async () => {
  model = await Model.load(vocabularyFile("llama-bpe"), { vocabOnly: true });
});
afterAll(() => model.dispose());

/** The same day for both: the other engine's own clock cannot be set. */
function sourceOf(name: string): string {
  return template(name).replace(/strftime_now\([^)]*\)/g, `'${DATE}'`);
}

const withoutBos = (text: string) => text.replace(/^<\|begin_of_text\|>/, "");

function ours(name: string, kind: Kind): string {
  const tools = kind === "tools" || kind === "calls" ? [tool] : [];
  const options = { tools, date: DATE };
  return withoutBos(
    promptToString(render(model, sourceOf(name), CONVERSATIONS[kind] as never, options)),
  );
}

/**
 * In each of the shapes that templates expect: arguments as an object or as text, content null or "", tools
 * left out or an empty list.
 */
function* theirs(name: string, kind: Kind): Generator<string> {
  for (const whole of [true, false]) {
    for (const empty of [null, ""]) {
      for (const none of [undefined, []]) {
        const messages = (CONVERSATIONS[kind] as readonly Record<string, unknown>[]).map(
          (message) => {
            if (message.tool_calls === undefined) return message;
            const said = called(whole ? { country: "Peru" } : '{"country":"Peru"}');
            return { ...said, content: empty };
          },
        );
        const tools = kind === "tools" || kind === "calls" ? [tool] : none;
        try {
          yield withoutBos(
            new Template(sourceOf(name)).render({
              ...{ messages, add_generation_prompt: true, enable_thinking: true },
              ...{ bos_token: "<|begin_of_text|>", eos_token: "<|end_of_text|>" },
              // Of single templates, with what cria sets there.
              ...{ date_string: DATE, datetime: DATE, functions: "" },
              ...(tools && { tools }),
            }),
          );
        } catch (error) {
          yield `ERROR ${(error as Error).message}`;
        }
      }
    }
  }
}
test.each(TEMPLATES.flatMap((name) => KINDS.map((kind) => [name, kind] as const)))(
  "%s, %s",
  (name, kind) => {
    const prompt = ours(name, kind);
    const others = [...theirs(name, kind)];
    const reason = DIFFERENCES[name]?.[kind];
    if (reason === undefined) {
      expect(others).toContain(prompt);
      return;
    }
    // The table says no more than is true.
    expect(others).not.toContain(prompt);
    const gap = GAPS[reason];
    if (gap !== undefined) for (const other of others) expect(other).toMatch(gap);
    if (reason === "described") expect(prompt).toContain("You can call functions.");
    if (reason === "results") expect(prompt).toContain('<tool_call>\n{"name": "find_capital"');
    if (reason === "grouped") expect(prompt).toContain("response:find_capital{");
  },
);

test("most prompts are the same, and every reason is one of somebody's", () => {
  const reasons = Object.values(DIFFERENCES).flatMap((kinds) => Object.values(kinds));
  expect(new Set(reasons)).toEqual(new Set(Object.keys(REASONS)));
  expect(reasons.length).toBeLessThan(0.15 * TEMPLATES.length * KINDS.length);
  for (const name of Object.keys(DIFFERENCES)) expect(TEMPLATES).toContain(name);
});
