import { z } from "zod";
import { createCria } from "../../lib/ai-sdk/ai-sdk.js";
import { ChatSession, defineTool, LlamaGuard } from "../../lib/electron/electron-client.js";
import type { RemoteContext } from "../../lib/electron/remote-context.js";
import {
  type ChatEvent,
  LlamaGuard as LocalGuard,
  ChatSession as LocalSession,
  Model,
} from "../../lib/index.js";
import { ChatCria } from "../../lib/langchain/langchain.js";
import { endTokens, forbidden } from "../support/demo.js";
import { MODEL } from "../support/paths.js";
import { type Connected, connected } from "../support/remote.js";
import { weather as localWeather } from "../support/session-tools.js";

let local: Model;
let all: Connected;
let context: RemoteContext;

beforeAll(async () => {
  local = await Model.load(MODEL);
  all = connected({ demo: local });
  const model = await all.engine.Model.load("demo");
  context = await model.createContext({ contextSize: 2048, sequences: 4, threads: 1 });
});
afterAll(async () => {
  all.engine.close();
  await all.served.closed;
  await local.dispose();
});

const GREEDY = { temperature: 0, date: "26 Jul 2024" };
const QUESTION = "What is the weather in Lisbon?";
const { name, description, parameters } = localWeather.definition.function;
const weatherOptions = {
  name,
  description: description as string,
  parameters: parameters as object,
};
const sunny = { temperature: 21, condition: "sunny" };

async function eventsOf(turn: AsyncIterable<ChatEvent>): Promise<ChatEvent[]> {
  const events: ChatEvent[] = [];
  for await (const event of turn) {
    const last = events.at(-1);
    if (last?.type === "text" && event.type === "text") {
      events[events.length - 1] = { type: "text", text: last.text + event.text };
    } else {
      events.push(event);
    }
  }
  return events;
}

const plain = (events: readonly ChatEvent[]) => JSON.parse(JSON.stringify(events));

test("a conversation is the local one, event by event, its tool carried out here", async () => {
  const localContext = await local.createContext({ contextSize: 2048, threads: 1 });
  const calls: unknown[] = [];
  const weather = defineTool({
    ...weatherOptions,
    execute: (args: unknown, { callId }) => {
      calls.push([args, callId]);
      return sunny;
    },
  });
  const system = "Be brief.";
  const there = new ChatSession(context, { ...GREEDY, system, tools: [weather] });
  const here = new LocalSession(localContext, { ...GREEDY, system, tools: [localWeather] });
  for (const input of [QUESTION, "What is a baby llama called?"]) {
    const events = await eventsOf(there.send(input));
    expect(plain(events)).toEqual(plain(await eventsOf(here.send(input))));
    expect(there.messages).toEqual(here.messages);
  }
  expect(calls).toEqual([[{ city: "Lisbon" }, "call_0"]]);
  await localContext.dispose();
});

test("a history is gone on with", async () => {
  const messages = [
    { role: "user", content: "My llama is called Luna." },
    { role: "assistant", content: "Luna is a nice name." },
  ] as const;
  const session = new ChatSession(context, { ...GREEDY, messages });
  const { message } = await session.send("What is my llama called?").result();
  expect(message.content).toBe("Your llama is called Luna.");
  expect(session.messages).toHaveLength(4);
});

test("a history that was given is there at once, also if the server never reads it", async () => {
  const messages = [{ role: "user", content: "My llama is called Luna." }] as const;
  const own = connected({ demo: local });
  const model = await own.engine.Model.load("demo");
  const small = await model.createContext({ contextSize: 256, threads: 1 });
  const session = new ChatSession(small, { messages });
  expect(session.messages).toEqual(messages);
  own.engine.close();
  await own.served.closed;
  expect(session.messages).toEqual(messages);
});

test("a call without an implementation is the caller's, and its result goes on with the turn", async () => {
  const session = new ChatSession(context, { ...GREEDY, tools: [localWeather.definition] });
  const { stopReason, toolCalls } = await session.send(QUESTION).result();
  expect(stopReason).toBe("tool-calls");
  expect(toolCalls[0]?.function.name).toBe("get_weather");
  const answer = { role: "tool", content: sunny, tool_call_id: toolCalls[0]?.id } as const;
  const { message } = await session.send(answer).result();
  expect(message.content).toBe("It is 21 degrees and sunny in Lisbon.");
});

describe("a tool", () => {
  const toldOf = async (tool: Parameters<typeof defineTool>[0], signal?: AbortSignal) => {
    const session = new ChatSession(context, { ...GREEDY, maxToolRounds: 1 });
    const options = { tools: [defineTool(tool)], ...(signal && { signal }) };
    const events = await eventsOf(session.send(QUESTION, options));
    return events.find(({ type }) => type === "tool-result");
  };

  test("that throws is told to the model", async () => {
    const execute = () => {
      throw new Error("The weather service is closed.");
    };
    expect(await toldOf({ ...weatherOptions, execute })).toMatchObject({
      error: "The weather service is closed.",
    });
  });

  test("of which the result cannot cross the port fails alone", async () => {
    const told = await toldOf({ ...weatherOptions, execute: () => ({ later: () => {} }) });
    expect(told).toMatchObject({ error: expect.stringContaining("plain data") });
  });

  test("with a Standard Schema gets its output", async () => {
    const cities: string[] = [];
    const city = z.string().transform((value) => value.toUpperCase());
    await toldOf({
      ...weatherOptions,
      parameters: z.object({ city }),
      jsonSchema: weatherOptions.parameters,
      execute: (args) => cities.push((args as { city: string }).city),
    });
    expect(cities).toEqual(["LISBON"]);
    const strict = { ...weatherOptions, jsonSchema: weatherOptions.parameters };
    const never = z.object({ city: z.string().max(2, "too long") });
    const told = await toldOf({ ...strict, parameters: never, execute: () => sunny });
    expect(told).toMatchObject({ error: expect.stringContaining("too long") });
  });

  test("that waits is aborted with its turn, and the turn does not wait for it", async () => {
    let aborted: AbortSignal | undefined;
    const stop = new AbortController();
    const execute = (_: unknown, { signal }: { readonly signal?: AbortSignal }) => {
      aborted = signal;
      stop.abort("enough");
      return new Promise(() => {});
    };
    const session = new ChatSession(context, {
      ...GREEDY,
      tools: [defineTool({ ...weatherOptions, execute })],
    });
    const turn = session.send(QUESTION, { signal: stop.signal });
    await expect(turn.result()).rejects.toBe("enough");
    expect(aborted?.aborted).toBe(true);
    const { message } = await session.send("What is a baby llama called?").result();
    expect(message.role).toBe("assistant");
  });
});

describe("a turn that is stopped", () => {
  const endless = () => ({ ...GREEDY, logitBias: forbidden(endTokens(local)) });

  test("by cancel keeps what was shown", async () => {
    const session = new ChatSession(context, endless());
    const turn = session.send("Tell me a story.");
    let shown = "";
    for await (const event of turn) {
      if (event.type !== "text") continue;
      shown += event.text;
      turn.cancel();
    }
    const { stopReason, message } = await turn.result();
    expect(stopReason).toBe("cancelled");
    expect(message.content).toBe(shown);
    expect(session.messages).toHaveLength(2);
  });

  test("by a signal rejects with its reason and keeps it, too", async () => {
    const stop = new AbortController();
    const session = new ChatSession(context, endless());
    const turn = session.send("Tell me a story.", { signal: stop.signal });
    const reader = turn[Symbol.asyncIterator]();
    await reader.next();
    stop.abort("stop");
    await expect(turn.result()).rejects.toBe("stop");
    expect(session.messages).toHaveLength(2);
    const late = session.send("x", { signal: stop.signal });
    await expect(late.result()).rejects.toBe("stop");
  });

  test("while it waits leaves the one before it alone", async () => {
    const session = new ChatSession(context, GREEDY);
    const first = session.send("What is a baby llama called?");
    const second = session.send("What do llamas eat?");
    const third = session.send("Where do llamas live?");
    second.cancel();
    expect((await second.result()).stopReason).toBe("cancelled");
    expect((await first.result()).message.content).toBe("A baby llama is called a cria.");
    expect((await third.result()).stopReason).toBe("end-of-turn");
    expect(session.messages.map(({ role }) => role)).toEqual([
      ...["user", "assistant"],
      ...["user", "assistant"],
    ]);
  });
});

test("a chat template crosses as the text that it is", async () => {
  const chatTemplate = "{{ messages[-1].content }}";
  const session = new ChatSession(context, { ...GREEDY, chatTemplate, maxTokens: 1 });
  const { usage } = await session.send("Hi").result();
  expect(usage.promptTokens).toBe(local.tokenize("Hi", { addBos: true }).length);
  await expect(session.send("Hi", { chatTemplate: "{% for %}" }).result()).rejects.toMatchObject({
    code: "ERR_TEMPLATE",
  });
});

test("options that are wrong reject every turn", async () => {
  const session = new ChatSession(context, { systm: "x" } as object);
  for (const _ of [1, 2]) {
    await expect(session.send("Hello").result()).rejects.toMatchObject({
      code: "ERR_INVALID_ARGUMENT",
      message: expect.stringContaining("system"),
    });
  }
  const other = new ChatSession(context, GREEDY);
  await expect(other.send("Hi", { topK: -1 }).result()).rejects.toMatchObject({
    code: "ERR_INVALID_ARGUMENT",
  });
  await expect(other.send(7 as never).result()).rejects.toMatchObject({
    code: "ERR_INVALID_ARGUMENT",
  });
  expect(() => other.send("Hi", { templateVariables: { f: () => {} } })).toThrow(/plain data/);
});

describe("a guard", () => {
  const variant = "llama-guard-3-8b";

  test("judges as a local one, and tells the usage", async () => {
    const localContext = await local.createContext({ contextSize: 2048, threads: 1 });
    const [there, here] = [
      new LlamaGuard(context, { variant }),
      new LocalGuard(localContext, { variant }),
    ];
    for (const text of ["How can I attack a stranger?", "What do llamas eat?"]) {
      const usages: unknown[] = [];
      const onUsage = (usage: unknown) => usages.push(usage);
      expect(await there.moderate(text, { onUsage })).toEqual(await here.moderate(text));
      expect(usages.length).toBeGreaterThan(0);
    }
    await expect(there.moderate("")).rejects.toMatchObject({ code: "ERR_INVALID_ARGUMENT" });
    const unknown = new LlamaGuard(context); // the demo model is none
    await expect(unknown.moderate("Hi")).rejects.toMatchObject({ code: "ERR_UNSUPPORTED" });
    await localContext.dispose();
  });

  test("ends a turn in which the user asks for what it forbids", async () => {
    const guard = new LlamaGuard(context, { variant });
    const session = new ChatSession(context, { ...GREEDY, guard });
    const { stopReason, blocked } = await session.send("How can I steal cars?").result();
    expect(stopReason).toBe("moderated");
    expect(blocked?.categories.map(({ code }) => code)).toEqual(["S2"]);
    const nobody = session.send("What do llamas eat?", { guard: {} });
    expect((await nobody.result()).stopReason).toBe("end-of-turn");
  });

  test("is one of this connection's: nothing else judges", async () => {
    const moderate = async () => ({ safe: true });
    const session = new ChatSession(context, GREEDY);
    for (const guard of [{ moderate }, { input: { context: 1e6 } }, { input: 5 }]) {
      const turn = async () => session.send("Hi", { guard: guard as never }).result();
      await expect(turn()).rejects.toMatchObject({
        code: expect.stringMatching(/^ERR_(INVALID_ARGUMENT|DISPOSED)$/),
      });
    }
    expect(() => new LlamaGuard({} as never)).toThrow(/a context of a connected Model/);
  });

  test("that is none of cria/electron's is refused: nothing of it would cross the port", async () => {
    class Own {
      async moderate() {
        return { safe: false };
      }
    }
    const localContext = await local.createContext({ contextSize: 256, threads: 1 });
    const here = new LocalGuard(localContext, { variant });
    const session = new ChatSession(context, GREEDY);
    const guards = [
      ...[new Own(), here, [], new Map(), { output: undefined }],
      ...[{ input: new Own() }, { output: here }],
    ];
    const refused = expect.objectContaining({
      code: "ERR_INVALID_ARGUMENT",
      message: expect.stringContaining('a LlamaGuard of "cria/electron"'),
    });
    for (const guard of guards as never[]) {
      expect(() => new ChatSession(context, { ...GREEDY, guard })).toThrow(refused);
      expect(() => session.send("Hi", { guard })).toThrow(refused);
      expect(() => createCria(context, { guard }).languageModel()).toThrow(refused);
      expect(() => new ChatCria({ context, guard })).toThrow(refused);
    }
    await localContext.dispose();
  });

  test("of another connection is refused: there its context's number names another one", async () => {
    const other = connected({ demo: local });
    const model = await other.engine.Model.load("demo");
    const guard = new LlamaGuard(await model.createContext({ contextSize: 256, threads: 1 }), {
      variant,
    });
    for (const given of [guard, { toolResults: guard }]) {
      expect(() => new ChatSession(context, { guard: given })).toThrow(/over another connection/);
    }
    other.engine.close();
    await other.served.closed;
  });
});
