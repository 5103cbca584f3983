import { TemplateAnswer } from "../../../lib/chat/formats/template-answer.js";
import { type TemplateFormat, templateFormat } from "../../../lib/chat/formats/template-format.js";
import { Model, type ToolChoice, type ToolDefinition } from "../../../lib/index.js";
import type { NativeFormatRequest } from "../../../lib/internal/native.js";
import { nativeWork } from "../../../lib/internal/native-work.js";
import { readMessages } from "../../../lib/messages/messages.js";
import { insideOf } from "../../../lib/model/loaded-model.js";
import { tool } from "../../support/conversations.js";
import { request, TEMPLATES, template } from "../../support/templates.js";
import { vocabularyFile } from "../../support/vocabularies.js";

const hi = [{ role: "user", content: "What is the capital of Peru?" }] as const;
const ARGUMENTS = { country: "Peru" };

let model: Model;
beforeAll(async () => {
  model = await Model.load(vocabularyFile("llama-bpe"), { vocabOnly: true });
});
afterAll(() => model.dispose());

function format(name: string, more: Partial<NativeFormatRequest> = {}): Promise<TemplateFormat> {
  const asked = request(template(name), hi, { tools: [tool] });
  const whole = {
    ...asked,
    toolChoice: "auto",
    parallelToolCalls: true,
    schema: false,
    ...more,
  } as const;
  const native = insideOf(model).native;
  return nativeWork(native, (id) => native.startFormat(id, whole), undefined);
}

async function read(text: string, format: TemplateFormat, tools?: readonly ToolDefinition[]) {
  const names = tools && new Set(tools.map((tool) => tool.function.name));
  const answer = new TemplateAnswer({ format, model, names });
  const parts = [...(await answer.push(text)), ...(await answer.finish(false))];
  return {
    content: parts.map((part) => (part.type === "text" ? part.text : "")).join(""),
    reasoning: parts.map((part) => (part.type === "reasoning" ? part.text : "")).join(""),
    toolCalls: parts.flatMap((part) => (part.type === "tool-call" ? [part.call] : [])),
  };
}

/** A call as a model of the template writes it. */
const CALLS: Record<string, string> = {
  "Qwen-Qwen2.5-7B-Instruct":
    '<tool_call>\n{"name": "find_capital", "arguments": {"country": "Peru"}}\n</tool_call>',
  "Qwen3-Coder":
    "<tool_call>\n<function=find_capital>\n<parameter=country>\nPeru\n</parameter>\n</function>\n</tool_call>",
  "mistralai-Mistral-Nemo-Instruct-2407":
    '[TOOL_CALLS][{"name": "find_capital", "arguments": {"country": "Peru"}, "id": "123456789"}]',
  "meta-llama-Llama-3.1-8B-Instruct": '{"name": "find_capital", "parameters": {"country": "Peru"}}',
  "google-gemma-4-31B-it": '<|tool_call>call:find_capital{country:<|"|>Peru<|"|>}<tool_call|>',
  "openai-gpt-oss-120b":
    '<|channel|>commentary to=functions.find_capital <|constrain|>json<|message|>{"country":"Peru"}',
  // It shows no tools, so that they are described.
  "deepseek-ai-DeepSeek-V3.1":
    '</think><tool_call>\n{"name": "find_capital", "arguments": {"country": "Peru"}}\n</tool_call>',
  "CohereForAI-c4ai-command-r7b-12-2024-tool_use":
    '<|START_THINKING|>x<|END_THINKING|><|START_ACTION|>[\n    {"tool_call_id": "0", "tool_name": "find_capital", "parameters": {"country": "Peru"}}\n]<|END_ACTION|>',
};

describe.each(Object.entries(CALLS))("%s", (name, text) => {
  test("a call is found", async () => {
    const { content, toolCalls } = await read(text, await format(name), [tool]);
    expect(content).toBe("");
    expect(toolCalls).toEqual([
      {
        id: "call_0",
        type: "function",
        function: { name: "find_capital", arguments: expect.any(String) },
        format: "template",
        known: true,
      },
    ]);
    expect(JSON.parse(toolCalls[0]?.function.arguments as string)).toEqual(ARGUMENTS);
  });

  test("nothing is made of a call that was cut off but what is told to be broken", async () => {
    const made = await format(name);
    for (let end = 0; end < text.length; end++) {
      const { toolCalls } = await read(text.slice(0, end), made, [tool]);
      for (const { problem, function: called } of toolCalls) {
        expect(called.name).toBe("find_capital");
        if (problem === undefined) expect(JSON.parse(called.arguments)).toBeInstanceOf(Object);
      }
    }
  });
});

test("text without a call is content, thoughts are apart", async () => {
  expect(await read("Lima.", await format("Qwen-Qwen3-0.6B"))).toEqual({
    content: "Lima.",
    reasoning: "",
    toolCalls: [],
  });
  const text = "<think>\nhm\n</think>\n\nLima.";
  expect(await read(text, await format("Qwen-Qwen3-0.6B"))).toMatchObject({
    content: "Lima.",
    reasoning: expect.stringContaining("hm"),
  });
});

test("an end that could begin a call is not lost", async () => {
  for (const text of ["1 <", "a <tool", "[", "x <|", "<"]) {
    for (const name of Object.keys(CALLS)) {
      const { content, reasoning, toolCalls } = await read(text, await format(name));
      expect([name, content + reasoning, toolCalls]).toEqual([name, text, []]);
    }
  }
});

test("two calls have ids by position, and content beside them stays", async () => {
  const call = CALLS["Qwen-Qwen2.5-7B-Instruct"] as string;
  const parsed = await read(
    `Let me see.\n${call}\n${call}`,
    await format("Qwen-Qwen2.5-7B-Instruct"),
  );
  expect(parsed.content).toContain("Let me see.");
  expect(parsed.toolCalls.map(({ id }) => id)).toEqual(["call_0", "call_1"]);
});

test("arguments that the next prompt could not have are a problem, and so are told", async () => {
  const made = await format("Qwen-Qwen2.5-7B-Instruct");
  const called = (args: string) =>
    `<tool_call>\n{"name": "find_capital", "arguments": ${args}}\n</tool_call>`;
  const deep = `{"country": ${"[".repeat(300)}${"]".repeat(300)}}`;
  const wide = `{"country": {${Array.from({ length: 10_001 }, (_, i) => `"${i}": 0`).join()}}}`;
  const free = { ...tool, function: { ...tool.function, parameters: { type: "object" } } };
  const anything = await format("Qwen-Qwen2.5-7B-Instruct", {
    ...request(template("Qwen-Qwen2.5-7B-Instruct"), hi, { tools: [free] }),
  });
  for (const args of [deep, wide]) {
    for (const chosen of [made, anything]) {
      const { toolCalls } = await read(called(args), chosen, [tool]);
      expect(toolCalls).toMatchObject([{ problem: expect.stringContaining("nested too deeply") }]);
    }
  }
});

test("a tool that was not given is not known", async () => {
  const text = CALLS["mistralai-Mistral-Nemo-Instruct-2407"] as string;
  const made = await format("mistralai-Mistral-Nemo-Instruct-2407");
  const other = { ...tool, function: { ...tool.function, name: "other" } };
  expect((await read(text, made, [other])).toolCalls).toMatchObject([{ known: false }]);
});

test("no text is too strange", async () => {
  const made = await Promise.all(Object.keys(CALLS).map((name) => format(name)));
  const pieces = [
    ...Object.values(CALLS).flatMap((text) => text.split(/(?=[<{"[])/)),
    "é",
    "\0",
    "\ud800",
  ];
  let seed = 1;
  const random = (below: number) => {
    seed = (seed * 48271) % 2147483647;
    return seed % below;
  };
  for (let i = 0; i < 2000; i++) {
    const text = Array.from({ length: random(12) }, () => pieces[random(pieces.length)]).join("");
    const chosen = made[random(made.length)] as TemplateFormat;
    const { content, toolCalls } = await read(text, chosen, [tool]);
    expect(typeof content).toBe("string");
    for (const { function: called } of toolCalls) expect(called.name).not.toBe("");
  }
  for (const text of ["[".repeat(100_000), '{"a":'.repeat(50_000), "<".repeat(100_000)]) {
    for (const chosen of made) {
      const { content, reasoning } = await read(text, chosen);
      expect(content.length + reasoning.length).toBe(text.length);
    }
  }
});

describe("the format of a template's answers", () => {
  test("has a grammar that its own opening triggers", async () => {
    const made = await format("Qwen-Qwen2.5-7B-Instruct");
    expect(made).toMatchObject({
      format: "peg-native",
      generationPrompt: "<|im_start|>assistant\n",
      grammarLazy: true,
      triggers: [{ type: "word", value: "<tool_call>\n" }],
      preservedTokens: ["<tool_call>", "</tool_call>"],
    });
    expect(made.grammar).toMatch(/^root ::= /m);
    expect(made.grammar).toContain("find_capital");
  });

  test("is there for every template", async () => {
    for (const name of TEMPLATES) expect((await format(name)).parser).toMatch(/^\{/);
  });

  test("follows the choice of a tool", async () => {
    const commandR = await Model.load(vocabularyFile("qwen2"), { vocabOnly: true });
    const other = { ...tool, function: { ...tool.function, name: "other_tool" } };
    const options = {
      ...request("", hi),
      tools: [tool, other],
      date: undefined,
      templateVariables: {},
    };
    const made = (toolChoice: ToolChoice) =>
      templateFormat(readMessages(hi), { ...options, toolChoice }, commandR);
    await expect(made({ type: "function", function: { name: "third" } })).rejects.toEqual(
      expect.objectContaining({ code: "ERR_INVALID_ARGUMENT" }),
    );
    expect((await made("none")).grammar).toBe("");
    await commandR.dispose();

    const once = { toolChoice: "required", parallelToolCalls: false } as const;
    const required = await format("Qwen-Qwen2.5-7B-Instruct", once);
    expect(required.grammarLazy).toBe(false);
  });
});
