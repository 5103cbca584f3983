import {
  type ChatEvent,
  type ChatMessage,
  ChatSession,
  type ChatSessionOptions,
  type Context,
  Grammar,
  type GuardVerdict,
  Model,
  promptToString,
  type ReasoningBudget,
  renderChat,
  Sampler,
} from "../../lib/index.js";
import { lazyGrammar } from "../../lib/sampling/grammar.js";
import { MODEL } from "../support/paths.js";
import { weather } from "../support/session-tools.js";
import { template } from "../support/templates.js";

let model: Model;
let context: Context;
beforeAll(async () => {
  model = await Model.load(MODEL);
  context = await model.createContext({ contextSize: 4096 });
});
afterAll(() => model.dispose());

const QWEN3 = "Qwen-Qwen3-0.6B";
/** Its template knows nothing of thoughts. */
const QWEN2 = "Qwen-Qwen2.5-7B-Instruct";

/** The model as if it had that template. */
function dress(name: string): void {
  Object.defineProperty(model, "chatTemplate", { value: template(name), configurable: true });
}

/** A grammar of one answer: the model can say nothing else. */
const only = (text: string) => Grammar.gbnf(`root ::= ${JSON.stringify(text)}`);

async function talk(name: string, options: ChatSessionOptions) {
  dress(name);
  const session = new ChatSession(context, { temperature: 0, ...options });
  const turn = session.send("What is the capital of Peru?");
  const events: ChatEvent[] = [];
  for await (const event of turn) events.push(event);
  const text = (type: "text" | "reasoning") =>
    events.map((event) => (event.type === type ? event.text : "")).join("");
  return { session, events, text, result: await turn.result() };
}

const ANSWER = "<think>\nPeru, hm.\n</think>\n\nIt is Lima.";

describe("thoughts", () => {
  test.each([QWEN3, QWEN2])("come apart from the answer of %s", async (name) => {
    const { session, text, result } = await talk(name, { grammar: only(ANSWER) });
    expect(text("reasoning").trim()).toBe("Peru, hm.");
    expect(text("text")).toBe("It is Lima.");
    expect(result.reasoning?.trim()).toBe("Peru, hm.");
    expect(result.message).toEqual({
      role: "assistant",
      content: "It is Lima.",
      reasoning_content: result.reasoning,
    });
    expect(session.messages.at(-1)).toEqual(result.message);
    // Tokens may span a border, but not the whole of the marks.
    const { completionTokens, reasoningTokens } = result.usage;
    expect(reasoningTokens).toBeGreaterThan(1);
    expect(reasoningTokens).toBeLessThan(completionTokens - 4);
  });

  test("that the prompt has begun go on to their end", async () => {
    const { text } = await talk("Qwen-QwQ-32B", {
      grammar: only("Peru, hm.\n</think>\n\nIt is Lima."),
    });
    expect([text("reasoning").trim(), text("text")]).toEqual(["Peru, hm.", "It is Lima."]);
  });

  test("are not told where they are not to be shown", async () => {
    const { text, result } = await talk(QWEN3, {
      grammar: only(ANSWER),
      reasoning: { show: false },
    });
    expect([text("reasoning"), text("text")]).toEqual(["", "It is Lima."]);
    expect(result.reasoning).toBeUndefined();
    expect(result.message).toEqual({ role: "assistant", content: "It is Lima." });
    expect(result.usage.reasoningTokens).toBeGreaterThan(1);
  });

  test("go back to the model only where its template wants them", () => {
    const call = { type: "function", function: { name: "get_weather", arguments: "{}" } } as const;
    const messages = [
      { role: "user", content: "Hi" },
      { role: "assistant", reasoning_content: "Peru, hm.", tool_calls: [{ ...call, id: "a" }] },
      { role: "tool", tool_call_id: "a", content: "rain" },
    ] as const;
    const shown = (name: string) => {
      dress(name);
      return promptToString(renderChat(messages, { model, format: "template" }));
    };
    expect(shown(QWEN3)).toContain("<think>\nPeru, hm.\n</think>");
    expect(shown(QWEN2)).not.toContain("Peru, hm.");
  });

  test("are turned off, or have a budget", async () => {
    const open = Grammar.gbnf('root ::= "<think>\\n" [a-z ]* "</think>" "\\n\\nLima."');
    const free = await talk(QWEN3, { grammar: open, maxTokens: 40 });
    expect(free.result.usage.reasoningTokens).toBeGreaterThan(10);
    const short = await talk(QWEN3, { grammar: open, maxTokens: 40, reasoning: { budget: 6 } });
    expect(short.text("text")).toBe("Lima.");
    expect(short.result.usage.reasoningTokens).toBeGreaterThan(0);
    expect(short.result.usage.reasoningTokens).toBeLessThanOrEqual(6);
    const none = await talk(QWEN2, {
      grammar: open,
      maxTokens: 40,
      reasoning: { effort: "none" },
    });
    expect([none.text("reasoning"), none.text("text")]).toEqual(["", "Lima."]);
  });

  test("are turned off by the template where it can", async () => {
    dress(QWEN3);
    const session = new ChatSession(context, { temperature: 0, reasoning: { effort: "none" } });
    const { usage } = await session.send("Hi", { maxTokens: 1 }).result();
    const written = (enable_thinking: boolean) =>
      renderChat([{ role: "user", content: "Hi" }], {
        model,
        templateVariables: { enable_thinking },
      });
    expect(promptToString(written(false))).toContain("<think>\n\n</think>");
    const tokens = (prompt: ReturnType<typeof written>) =>
      prompt.reduce(
        (sum, part) => sum + ("text" in part ? model.tokenize(part.text).length : 1),
        0,
      );
    expect(usage.promptTokens).toBe(tokens(written(false)));
  });

  test.each([{ effort: "most" }, { budget: -1 }, { budget: 1.5 }, { show: 1 }, { efort: "low" }])(
    "are not limited by %j",
    (reasoning) => {
      const wrong = () => new ChatSession(context, { reasoning } as unknown as ChatSessionOptions);
      expect(wrong).toThrow(expect.objectContaining({ code: "ERR_INVALID_ARGUMENT" }));
    },
  );
});

describe("a grammar that waits for a call", () => {
  const capital = lazyGrammar(Grammar.gbnf('root ::= "capital!"'), {
    tokens: [],
    patterns: ["(capital)"],
  });

  test.each<[string, ReasoningBudget | undefined, string]>([
    ["is woken by it", undefined, "The capital!"],
    ["is not woken within thoughts", { open: true }, "The capital of France is Paris."],
    ["is woken behind them", { open: true, ends: ["The"] }, "The capital!"],
    ["is woken by a call that ends them", { open: true, ends: ["capital"] }, "The capital!"],
  ])("%s", async (_, reasoningBudget, said) => {
    const question = [{ role: "user", content: "What is the capital of France?" }] as const;
    const { text } = await context
      .generate(renderChat(question, { format: "llama-3.1" }), {
        sampler: Sampler.greedy().with({ grammar: capital }),
        ...(reasoningBudget && { reasoningBudget }),
      })
      .result();
    expect(text).toBe(said);
  });

  test.each([
    [QWEN3, { start: "<think>", ends: ["</think>"], open: false }],
    ["Qwen-QwQ-32B", { start: "<think>", ends: ["</think>"], open: true }],
    [
      "openai-gpt-oss-120b",
      { start: "<|channel|>analysis<|message|>", ends: ["<|end|>"], open: false },
    ],
  ])("is told where the thoughts of %s are", async (name, marks) => {
    const generate = jest.spyOn(context, "generate");
    await talk(name, { tools: [weather], maxTokens: 1 });
    await talk(name, { maxTokens: 1 });
    const [withTools, without] = generate.mock.calls.map(([, options]) => options);
    expect(withTools?.reasoningBudget).toEqual(marks);
    expect(without?.reasoningBudget).toBeUndefined();
    generate.mockRestore();
  });
});

describe("a guard", () => {
  const safe = { safe: true, score: 0 } as GuardVerdict;

  test("judges thoughts that are shown, in front of the answer, and no others", async () => {
    for (const show of [true, false]) {
      const judged: ChatMessage[] = [];
      const moderate = async (conversation: readonly ChatMessage[]) => {
        judged.push(conversation.at(-1) as ChatMessage);
        return safe;
      };
      const { events } = await talk(QWEN3, {
        grammar: only(ANSWER),
        guard: { output: { moderate } },
        reasoning: { show },
      });
      const last = judged.at(-1)?.content as string;
      expect(last.includes("Peru, hm.")).toBe(show);
      expect(last).toContain("It is Lima.");
      const kinds = events.map(({ type }) => type);
      if (show) expect(kinds.indexOf("moderation")).toBeLessThan(kinds.indexOf("reasoning"));
    }
  });

  test("withholds what it finds in them", async () => {
    const moderate = async (conversation: readonly ChatMessage[]) => ({
      ...safe,
      safe: !String(conversation.at(-1)?.content).includes("Peru"),
    });
    const { text, result } = await talk(QWEN3, {
      grammar: only(ANSWER),
      guard: { output: { moderate } },
    });
    expect(result.stopReason).toBe("moderated");
    expect(text("reasoning") + text("text")).toBe("");
  });
});

describe("calls", () => {
  const CALL =
    '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Lisbon"}}\n</tool_call>';
  const called = { tools: [weather], constrainTools: false, maxToolRounds: 0 };

  test("are told while they are written, behind the text in front of them", async () => {
    const { events, result } = await talk(QWEN2, { ...called, grammar: only(`Well.\n${CALL}`) });
    const deltas = events.flatMap((event) => (event.type === "tool-call-delta" ? [event] : []));
    expect(deltas.length).toBeGreaterThan(1);
    expect(deltas.every(({ name, callId }) => name === "get_weather" && callId === "call_0")).toBe(
      true,
    );
    const [call] = result.toolCalls;
    expect(deltas.map(({ argumentsDelta }) => argumentsDelta).join("")).toBe(
      call?.function.arguments,
    );
    expect(events[0]).toMatchObject({ type: "text" });
    expect(result.message.content).toBe("Well.\n");
  });

  test("that the format refuses stay text, or come back as errors", async () => {
    const unknown = CALL.replace("get_weather", "set_weather");
    const text = await talk(QWEN2, { ...called, grammar: only(unknown) });
    expect(text.result.message).toEqual({ role: "assistant", content: unknown });
    const coder = "<tool_call>\n<function=get_weather>\n<parameter=town>\nLisbon\n</parameter>\n";
    const broken = await talk("Qwen3-Coder", { ...called, grammar: only(coder) });
    expect(broken.result.toolCalls).toMatchObject([
      { function: { name: "get_weather", arguments: "{}" }, source: coder },
    ]);
  });

  test("stand where a template shows no tools, or are refused", async () => {
    const tools = { ...called, format: "template" } as const;
    const { result } = await talk("microsoft-Phi-3.5-mini-instruct", {
      ...tools,
      grammar: only(CALL),
    });
    expect(result.toolCalls).toMatchObject([
      { function: { name: "get_weather", arguments: '{"city": "Lisbon"}' } },
    ]);
    const prompt = promptToString(
      renderChat([{ role: "user", content: "Hi" }], { model, tools: [weather.definition] }),
    );
    expect(prompt).toContain('{"name":"get_weather"');
    const refused = talk("microsoft-Phi-3.5-mini-instruct", { ...tools, toolFallback: "error" });
    await expect(refused).rejects.toEqual(expect.objectContaining({ code: "ERR_UNSUPPORTED" }));
  });
});

describe("a response schema", () => {
  const responseSchema = {
    type: "object",
    properties: { city: { type: "string", maxLength: 12 } },
    required: ["city"],
  };

  test.each([
    QWEN3,
    "openai-gpt-oss-120b",
    "deepseek-ai-DeepSeek-V3.2",
    "google-gemma-2-2b-it",
    "Kimi-K3",
    "muse-glimmer",
  ])("begins behind the thoughts of %s, with tools or without", async (name) => {
    for (const tools of [[], [weather]]) {
      const { result } = await talk(name, {
        responseSchema,
        tools,
        maxTokens: 160,
        maxToolRounds: 0,
        reasoning: { budget: 8 },
      });
      if (result.toolCalls.length > 0 || result.stopReason === "max-tokens") continue;
      expect(JSON.parse(result.message.content as string)).toEqual({ city: expect.any(String) });
    }
  });
});
