import { fittedPrompt, forTemplates } from "../../lib/chat/fitted-prompt.js";
import { chatRenderer } from "../../lib/chat/render-chat.js";
import { SessionHistory } from "../../lib/chat/session-history.js";
import { TokenCounts } from "../../lib/chat/token-counts.js";
import {
  type ChatMessage,
  ChatSession,
  type ChatSessionOptions,
  Model,
  promptToString,
  type SummarizeContext,
} from "../../lib/index.js";
import type { RenderableMessage } from "../../lib/messages/pairing.js";
import { MODEL } from "../support/paths.js";
import { call, scripted } from "../support/scripted-context.js";
import { weather } from "../support/session-tools.js";
import { template } from "../support/templates.js";

const SIZE = 1000;
const LONG = "long ".repeat(30).trim();
const date = "26 Jul 2024";

interface Asked extends SummarizeContext {
  readonly dropped: readonly ChatMessage[];
}

/** A conversation of so many turns, each with a long question, in a context that holds a few of them. */
async function talk(
  turns: number,
  summarize: ChatSessionOptions["summarize"],
  options: ChatSessionOptions = {},
) {
  const made = scripted(
    Array.from({ length: turns }, (_, turn) => `answer ${turn}`),
    { contextSize: SIZE },
  );
  const told: Asked[] = [];
  const session = new ChatSession(made.context, {
    ...{ date, system: "Be brief.", ...options },
    ...(summarize && {
      summarize: (dropped, context) => {
        told.push({ dropped, ...context });
        return summarize(dropped, context);
      },
    }),
  });
  for (let turn = 0; turn < turns; turn++) await session.send(`question ${turn} ${LONG}`).result();
  return { session, told, asked: made.asked };
}

const count = (dropped: readonly ChatMessage[]) => `${dropped.length} messages`;

describe("messages that no longer fit", () => {
  test("are given away once each, with the summary before them, in whole exchanges", async () => {
    const { session, told, asked } = await talk(
      12,
      (dropped, { summary }) => `${summary ?? "so far:"} ${dropped.length}`,
    );
    expect(told.length).toBeGreaterThan(1);
    expect(told.map(({ summary }) => summary)).toEqual([
      undefined,
      ...told.slice(0, -1).map(
        (_, at) =>
          `so far: ${told
            .slice(0, at + 1)
            .map((one) => one.dropped.length)
            .join(" ")}`,
      ),
    ]);
    const given = told.flatMap(({ dropped }) => dropped);
    const said = session.messages.filter(({ role }) => role !== "system");
    expect(given).toEqual(said.slice(0, given.length));
    for (const { dropped, maxTokens } of told) {
      expect(dropped[0]?.role).toBe("user");
      expect(dropped.at(-1)?.role).toBe("assistant");
      expect(maxTokens).toBe(Math.floor(Math.floor((SIZE * 0.75) / 8) * 0.9));
    }
    const last = asked.at(-1)?.prompt as string;
    expect(last).toContain(
      `Be brief.\n\nSummary of the conversation so far:\n${session.summary}<|eot_id|>`,
    );
    const kept = said.slice(given.length, -1);
    for (const { content } of kept) expect(last).toContain(content as string);
    for (const { content } of given) expect(last).not.toContain(`\n\n${content}<|eot_id|>`);
    expect(session.messages).toHaveLength(25);
  });

  test("as much is kept of the conversation as leaves room for the longest summary", async () => {
    const longest = "s".repeat(Math.floor((SIZE * 0.75) / 8));
    const { asked } = await talk(12, () => longest);
    for (const { prompt } of asked) expect(Buffer.byteLength(prompt)).toBeLessThan(SIZE);
    expect(asked.at(-1)?.prompt).toContain(longest);
  });

  test("calls go with their results", async () => {
    const made = scripted(
      Array.from({ length: 12 }, (_, turn) => [
        call("get_weather", { city: LONG }),
        `answer ${turn}`,
      ]).flat(),
      { contextSize: 3000 },
    );
    const told: (readonly ChatMessage[])[] = [];
    const session = new ChatSession(made.context, {
      ...{ date, tools: [weather], constrainTools: false },
      summarize: (dropped) => {
        told.push(dropped);
        return count(dropped);
      },
    });
    for (let turn = 0; turn < 12; turn++) await session.send(`question ${turn} ${LONG}`).result();
    expect(told.length).toBeGreaterThan(0);
    for (const dropped of told) {
      const roles = dropped.map(({ role }) => role).join(" ");
      expect(roles).toMatch(/^(user assistant tool assistant ?)+$/);
    }
  });

  test("without a function they are left out, and nothing is told", async () => {
    const { session, asked } = await talk(8, undefined);
    expect(asked.at(-1)?.prompt).not.toContain("question 0");
    expect(asked.at(-1)?.prompt).not.toContain("Summary");
    expect(session.summary).toBeUndefined();
  });

  test("that went before there was a function are summarised with the next turn", async () => {
    const { session, asked } = await talk(6, undefined);
    const said = session.messages;
    const made = scripted(["then", "and then"], { contextSize: SIZE });
    const later = new ChatSession(made.context, { date, messages: said });
    await later.send(LONG).result();
    const told: (readonly ChatMessage[])[] = [];
    const summarize = (dropped: readonly ChatMessage[]) => {
      told.push(dropped);
      return "all of it";
    };
    await later.send("Hi", { summarize }).result();
    expect(told).toHaveLength(1);
    expect(told[0]?.[0]).toEqual(said[1]);
    expect(made.asked[1]?.prompt).toContain("all of it");
    expect(asked[0]?.prompt).not.toContain("all of it");
  });

  test("an empty summary is none", async () => {
    const { session, told, asked } = await talk(8, async () => " \n");
    expect(told.length).toBeGreaterThan(0);
    expect(asked.at(-1)?.prompt).not.toContain("Summary");
    expect(session.summary).toBeUndefined();
  });
});

describe("a summary that fails", () => {
  const failed = async (summarize: unknown) => {
    const made = scripted(
      Array.from({ length: 20 }, () => "yes"),
      { contextSize: SIZE },
    );
    const session = new ChatSession(made.context, { date });
    let before: readonly ChatMessage[] = [];
    for (;;) {
      before = session.messages;
      const turn = session.send(LONG, { summarize: summarize as never });
      const outcome = await turn.result().catch((error: unknown) => ({ error }));
      if ("error" in outcome) {
        expect(session.messages).toEqual(before);
        expect(session.summary).toBeUndefined();
        const { stopReason } = await session.send(LONG, { summarize: () => "fine" }).result();
        expect(stopReason).toBe("end-of-turn");
        expect(session.summary).toBe("fine");
        return outcome.error;
      }
    }
  };

  test.each([
    [
      "throws",
      () => {
        throw new RangeError("no");
      },
      { name: "RangeError", message: "no" },
    ],
    ["rejects", async () => Promise.reject(new Error("later")), { message: "later" }],
    [
      "gives no text",
      () => 7,
      { code: "ERR_INVALID_ARGUMENT", message: /Expected a text for `?the result/ },
    ],
    [
      "is too long",
      () => "word ".repeat(40),
      { code: "ERR_CONTEXT_FULL", message: /more than the 83 tokens/ },
    ],
    ["is far too long", () => "x".repeat(1 << 26), { code: "ERR_CONTEXT_FULL" }],
  ])(
    "since it %s fails the turn, which leaves the session as it was",
    async (_, summarize, { message, ...rest }: Record<string, unknown>) => {
      const told =
        message instanceof RegExp
          ? { message: expect.stringMatching(message) }
          : message === undefined
            ? {}
            : { message };
      expect(await failed(summarize)).toMatchObject({ ...rest, ...told });
    },
  );

  test("is no function", () => {
    const { context } = scripted([]);
    expect(() => new ChatSession(context, { summarize: "short" as never })).toThrow(
      expect.objectContaining({ code: "ERR_INVALID_ARGUMENT" }),
    );
  });
});

describe("a turn that is stopped while a summary is written", () => {
  const waiting = () => {
    let begun = (_: AbortSignal) => {};
    const started = new Promise<AbortSignal>((resolve) => {
      begun = resolve;
    });
    const summarize = (_: unknown, { signal }: SummarizeContext) => {
      begun(signal);
      return new Promise<string>(() => {});
    };
    return { started, summarize };
  };
  const filled = async () => {
    const made = scripted(
      Array.from({ length: 20 }, () => "yes"),
      { contextSize: SIZE },
    );
    const session = new ChatSession(made.context, { date });
    for (let turn = 0; turn < 3; turn++) await session.send(LONG).result();
    return session;
  };

  test("by cancel does not wait for it", async () => {
    const session = await filled();
    const before = session.messages;
    const { started, summarize } = waiting();
    const turn = session.send(LONG.repeat(2), { summarize });
    const signal = await started;
    turn.cancel();
    expect((await turn.result()).stopReason).toBe("cancelled");
    expect(signal.aborted).toBe(true);
    expect(session.messages).toEqual(before);
  });

  test("by a signal rejects with its reason", async () => {
    const session = await filled();
    const stop = new AbortController();
    const { started, summarize } = waiting();
    const turn = session.send(LONG.repeat(2), { summarize, signal: stop.signal });
    await started;
    stop.abort("enough");
    await expect(turn.result()).rejects.toBe("enough");
  });
});

describe("where the template can take it", () => {
  let model: Model;
  beforeAll(async () => {
    model = await Model.load(MODEL, { vocabOnly: true });
  });
  afterAll(() => model.dispose());

  async function prompted(chatTemplate: string, opening: readonly RenderableMessage[] = []) {
    const messages = [1, 2, 3].flatMap((turn): RenderableMessage[] => [
      { role: "user", content: `${turn} ${LONG}` },
      { role: "assistant", content: "yes", tool_calls: [] },
    ]);
    const history = new SessionHistory(
      { system: [...opening, ...messages, { role: "user", content: "last" }], rest: [] },
      new TokenCounts(model),
    );
    const renderer = chatRenderer({ model, chatTemplate });
    const fitting = {
      renderer,
      contextSize: 150,
      maxTokens: undefined,
      summarize: () => "in short",
    };
    const { prompt } = await fittedPrompt(history, fitting, new AbortController().signal);
    expect(history).toMatchObject({ summary: "in short", summarized: history.dropped });
    return promptToString(prompt);
  }

  const TOLD = "Summary of the conversation so far:\nin short";
  const SILENT =
    "{% for m in messages %}{% if m.role != 'system' %}[{{ m.role }}] {{ m.content }}\n{% endif %}{% endfor %}";

  test("in the system message", async () => {
    const qwen = template("Qwen-Qwen2.5-7B-Instruct");
    expect(await prompted(qwen)).toContain(`<|im_start|>system\n${TOLD}<|im_end|>`);
    const brief = await prompted(qwen, [{ role: "system", content: "Be brief." }]);
    expect(brief).toContain(`<|im_start|>system\nBe brief.\n\n${TOLD}<|im_end|>`);
  });

  test("in the user's first one, where the template refuses a system message or leaves it out", async () => {
    const gemma = await prompted(template("google-gemma-2-2b-it"));
    expect(gemma).toMatch(new RegExp(`<start_of_turn>user\n${TOLD}\n(last|3 long)`));
    expect(await prompted(SILENT)).toMatch(new RegExp(`\\[user\\] ${TOLD}\n(last|3 long)`));
  });

  test("one that shows neither is an error", async () => {
    const deaf = "{% for m in messages %}{{ m.role }}{{ m.content | length }}{% endfor %}";
    await expect(prompted(`${deaf}${"x ".repeat(150)}`)).rejects.toMatchObject({
      code: "ERR_TEMPLATE",
      message: expect.stringMatching(/does not show what is in the system message/),
    });
  });
});

test("messages for strict templates keep their order and gain nothing but what is missing", () => {
  const user = { role: "user", content: "a" } as const;
  expect(forTemplates([user, { role: "assistant", content: "", tool_calls: [] }])).toEqual([
    user,
    { role: "assistant", content: " ", tool_calls: [] },
  ]);
});
