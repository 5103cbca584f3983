import { readerOf } from "../../lib/chat/answer-reader.js";
import { chatRenderer } from "../../lib/chat/render-chat.js";
import { ChatSession, type ChatSessionOptions, defineTool, Model } from "../../lib/index.js";
import { answerGrammar } from "../../lib/tools/answer-grammar.js";
import { GbnfMatcher } from "../support/gbnf-matcher.js";
import { MODEL } from "../support/paths.js";
import { ONE, QUESTION, TOOLS, scripted as writtenBy } from "../support/scripted-answers.js";
import { call, scripted } from "../support/scripted-context.js";
import { weather } from "../support/session-tools.js";
import { TEMPLATES, template } from "../support/templates.js";

const LISBON = call("get_weather", { city: "Lisbon" });
const LIMA = call("get_weather", { city: "Lima" });
const PYTHON = 'get_weather(city="Lisbon")';

/** Several calls in each form in which they are written, with text around them. */
const ANSWERS = {
  "JSON with a semicolon": `${LISBON}; ${LIMA}`,
  "JSON on lines": `${LISBON}\n${LIMA}`,
  "an array": `[${LISBON}, ${LIMA}]`,
  "behind text": `Let me see. ${LISBON} and ${LIMA}`,
  "in fences": `\`\`\`json\n${LISBON}\n\`\`\`\n\`\`\`json\n${LIMA}\n\`\`\``,
  "function tags": `<function=get_weather>{"city": "Lisbon"}</function><function=get_weather>{"city": "Lima"}</function>`,
  "Python, one list": `[${PYTHON}, get_weather(city="Lima")]`,
  "Python, one by one": `[${PYTHON}]\n[get_weather(city="Lima")]`,
  "text behind it": `${LISBON}\nThat will tell us.`,
};

function session(
  answers: Parameters<typeof scripted>[0],
  { date = "x", ...options }: ChatSessionOptions = {},
) {
  const script = scripted(answers);
  const given = { tools: [weather], parallelToolCalls: false, date, ...options };
  return { script, chat: new ChatSession(script.context, given) };
}

/** All that a turn says, and what the model is shown next. */
async function told(pieces: readonly string[], options: ChatSessionOptions) {
  const { script, chat } = session([{ pieces }, "Done."], options);
  const { messages } = await chat.send("Weather?").result();
  return { messages, next: script.asked[1]?.prompt };
}

describe.each(["llama-3.1", "llama-4"] as const)("%s", (format) => {
  test.each(Object.entries(ANSWERS))(
    "%s: one call comes, however they are cut",
    async (_, text) => {
      const whole = await told([text], { format });
      expect(whole.messages).toMatchObject([
        { role: "user" },
        { tool_calls: [{ id: "call_0", function: { arguments: '{"city":"Lisbon"}' } }] },
        { role: "tool", tool_call_id: "call_0" },
        { content: "Done." },
      ]);
      expect(whole.messages[1]).toMatchObject({
        content: text.startsWith("Let me see.") ? "Let me see." : "",
      });
      expect(whole.next).toContain("Lisbon");
      expect(whole.next).not.toMatch(/Lima|tell us/);
      for (const size of [1, 7, 30]) {
        const cut = text.match(new RegExp(`.{1,${size}}`, "gs")) ?? [];
        expect((await told(cut, { format })).messages).toEqual(whole.messages);
      }
      const all = await told([text], { format, parallelToolCalls: true });
      const rest = text.includes("Lima") ? /Lima/ : /tell us/;
      expect(all.next).toMatch(rest);
    },
  );

  test("what comes behind the call stops the generation", async () => {
    const never = new Promise(() => {});
    const { chat, script } = session([{ pieces: [LISBON, "; ", never] }, "Done."], { format });
    const { stopReason, message } = await chat.send("Weather?").result();
    expect({ stopReason, message }).toMatchObject({
      stopReason: "end-of-turn",
      message: { content: "Done." },
    });
    expect(script.running).toBe(0);
  });

  test("a call with nothing behind it is shown to the model in its own tokens", async () => {
    const own = '{"name": "get_weather",   "parameters": {"city": "Lisbon"}}';
    const { next } = await told([own, "\n"], { format });
    expect(next).toContain(`${own}\n<|eot`);
  });
});

test("a caller's tool: one call is left to answer", async () => {
  const { name, parameters } = weather.definition.function;
  const open = defineTool({ name, parameters: parameters as object });
  const { chat } = session([`${LISBON};${LIMA}`], { tools: [open] });
  const { toolCalls, stopReason } = await chat.send("Weather?").result();
  expect(stopReason).toBe("tool-calls");
  expect(toolCalls.map((one) => one.function.arguments)).toEqual(['{"city":"Lisbon"}']);
});

test("each answer of a turn may have its call, and a turn its own option", async () => {
  const { chat } = session([LISBON, LIMA, "Done.", `${LISBON}; ${LIMA}`, "Done."]);
  const called = (messages: readonly object[]) =>
    messages.map((message) => ("tool_calls" in message ? (message.tool_calls as []).length : 0));
  const first = await chat.send("Weather?").result();
  expect(called(first.messages)).toEqual([0, 1, 0, 1, 0, 0]);
  const second = await chat.send("Weather?", { parallelToolCalls: true }).result();
  expect(called(second.messages)).toEqual([0, 2, 0, 0, 0]);
});

test.each(["required", "auto"] as const)(
  "%s: the grammar has one call or several",
  async (choice) => {
    const rules = { tools: [weather.definition], choice, constrainTools: true } as const;
    const grammar = async (parallelToolCalls: boolean) => {
      const made = await answerGrammar({ ...rules, parallelToolCalls, responseSchema: undefined });
      return new GbnfMatcher(made?.source as string, made?.root);
    };
    const [one, many] = [await grammar(false), await grammar(true)];
    for (const text of [LISBON, `${LISBON}; ${LIMA}`, `${LISBON}\n${LIMA}`]) {
      expect([text, one.matches(text), many.matches(text)]).toEqual([text, text === LISBON, true]);
    }
  },
);

describe("a model's own template", () => {
  let model: Model;
  beforeAll(async () => {
    model = await Model.load(MODEL);
  });
  afterAll(() => model.dispose());

  /** llama.cpp's grammars of these have several calls whatever was asked for: only the reader stops them. */
  const SEVERAL = ["Kimi-K3", "inclusionai-ling-3.0-flash"];
  /** Its grammar has another order of keys than the template writes. */
  const OTHERWISE = ["CohereForAI-c4ai-command-r-plus-tool_use"];

  test.each(TEMPLATES)("%s: the first call of several is the only one", async (name) => {
    const renderer = chatRenderer({
      ...{ format: "template", model, tools: TOOLS },
      chatTemplate: template(name),
    });
    const rules = { choice: "required", constrainTools: true, responseSchema: undefined } as const;
    const expected = {
      ...{ renderer, messages: [QUESTION], firstCall: 0 },
      rules: { ...rules, parallelToolCalls: false },
    };
    const one = await writtenBy(model, name, "call");
    const two = await writtenBy(model, name, "calls");
    expect(two.says.calls).toHaveLength(2);
    for (const pieces of [[two.text], two.text.match(/.{1,5}/gs) ?? []]) {
      const reader = await readerOf(expected);
      const parts = [];
      for (const piece of pieces) parts.push(...(await reader.push(piece)));
      parts.push(...(await reader.finish("end-of-turn")));
      const calls = parts.flatMap((part) => (part.type === "tool-call" ? [part.call] : []));
      expect(calls.map(({ id, function: made }) => [id, made.name])).toEqual([
        ["call_0", ONE.function.name],
      ]);
      const begun = parts.flatMap((part) => (part.type === "tool-call-delta" ? [part.callId] : []));
      expect(new Set(begun)).toEqual(new Set(["call_0"]));
      expect(reader.over).toBe(true);
    }
    const { grammar } = await readerOf(expected);
    const matcher = new GbnfMatcher(grammar?.source as string, grammar?.root);
    const { generationPrompt } = one.format;
    const matches = [one, two].map(({ text }) => matcher.matches(generationPrompt + text));
    expect(matches).toEqual([!OTHERWISE.includes(name), SEVERAL.includes(name)]);
  });
});
