import { invalid, show } from "../internal/errors.js";
import type { Steps } from "../internal/steps.js";
import type { ReadMedia } from "./media-parts.js";
import type { ToolCall } from "./tool-types.js";

/**
 * A message that was read: own data, every content one string (with marks in the place of media), every call with an id and its arguments
 * as checked JSON text of an object, every result with the id and the name of its call. Results stand
 * in the order of their calls. A `tool` message's object is JSON text.
 */
export type RenderableMessage =
  | { readonly role: "system"; readonly content: string }
  | {
      readonly role: "user";
      readonly content: string;
      /** What the marks in the content stand for. */
      readonly media?: readonly ReadMedia[];
    }
  | {
      readonly role: "assistant";
      readonly content: string;
      /** What the model thought before. */
      readonly reasoning_content?: string;
      readonly tool_calls: readonly ToolCall[];
      /** Only in a session's history: what the model generated, for the formats that can say it. */
      readonly reply?: Reply;
    }
  | {
      readonly role: "tool";
      readonly content: string;
      readonly tool_call_id: string;
      readonly name: string;
    };

/** A message as it was generated: put back in these very tokens, it lies in the cache already. */
export interface Reply {
  /** Without the token that ended it. */
  readonly tokens: Int32Array;
  /** The control token behind it. */
  readonly end: "<|eot_id|>" | "<|eom_id|>" | "<|eot|>" | "<|eom|>";
}

/** A message before calls and results have found each other. */
export type UnpairedMessage =
  | Exclude<RenderableMessage, { readonly role: "assistant" | "tool" }>
  | {
      readonly role: "assistant";
      readonly content: string;
      readonly reasoning_content?: string;
      readonly calls: readonly UnpairedCall[];
    }
  | {
      readonly role: "tool";
      readonly content: string;
      readonly callId: string | undefined;
      readonly callName: string | undefined;
    };

export interface UnpairedCall {
  readonly id: string | undefined;
  readonly name: string;
  readonly arguments: string;
}

type Result = Extract<UnpairedMessage, { readonly role: "tool" }>;
type PairedResult = Extract<RenderableMessage, { readonly role: "tool" }>;

/**
 * Matches tools' results with calls: by id if both have one, else by name, else in order. The formats of
 * the Llama 3 family show neither, so the results are put in the order of their calls.
 *
 * @param known how many of the first messages are not part of what the caller knows as `name`
 * @param firstCall the number in the id of the first call that has none of its own
 */
export function* pairingSteps(
  messages: readonly UnpairedMessage[],
  name: string,
  { known = 0, firstCall = 0 } = {},
): Steps<RenderableMessage[]> {
  const paired: RenderableMessage[] = [];
  let exchange = new Exchange([]);
  let calls = firstCall;
  for (const [at, message] of messages.entries()) {
    yield;
    const index = at - known;
    if (message.role === "tool") {
      exchange.answer(message, `${name}[${index}]`);
      continue;
    }
    paired.push(...exchange.results());
    exchange = new Exchange([]);
    if (message.role !== "assistant") {
      paired.push(message);
      continue;
    }
    const { calls: called, ...said } = message;
    const made = withIds(called, calls, `${name}[${index}].tool_calls`);
    calls += made.length;
    exchange = new Exchange(made.map((call, at) => ({ call, given: called[at]?.id })));
    paired.push({ ...said, tool_calls: made });
  }
  paired.push(...exchange.results());
  return paired;
}

/** Undoes the pairing of a message, to pair it with what follows. */
export function unpaired(message: RenderableMessage): UnpairedMessage {
  if (message.role === "tool") {
    const { role, content, tool_call_id, name } = message;
    return { role, content, callId: tool_call_id, callName: name };
  }
  if (message.role !== "assistant") return message;
  const { reply: _, tool_calls, ...said } = message;
  return {
    ...said,
    calls: tool_calls.map(({ id, function: called }) => ({ id, ...called })),
  };
}

function withIds(calls: readonly UnpairedCall[], before: number, name: string): ToolCall[] {
  const given = new Set<string>();
  for (const [index, { id }] of calls.entries()) {
    if (id === undefined) continue;
    if (given.has(id)) {
      throw invalid(`The id ${show(id)} (\`${name}[${index}].id\`) belongs to an earlier call`, {
        name,
      });
    }
    given.add(id);
  }
  /** An id by position, or further on in steps of all calls if it is taken, so that no two are equal. */
  const idAt = (index: number) => {
    let at = before + index;
    while (given.has(`call_${at}`)) at += calls.length;
    return `call_${at}`;
  };
  return calls.map(({ id, name: called, arguments: text }, index) => ({
    id: id ?? idAt(index),
    type: "function",
    function: { name: called, arguments: text },
  }));
}

/** The calls of one message and their results so far. */
class Exchange {
  readonly #slots: { call: ToolCall; given: string | undefined; content?: string }[];

  constructor(slots: readonly { call: ToolCall; given: string | undefined }[]) {
    this.#slots = slots.map((slot) => ({ ...slot }));
  }

  answer({ callId, callName, content }: Result, name: string): void {
    const open = this.#slots.filter((slot) => slot.content === undefined);
    const slot =
      callId === undefined
        ? (open.find(({ call }) => call.function.name === callName) ?? open[0])
        : (open.find(({ given }) => given === callId) ??
          open.find(({ given }) => given === undefined));
    if (slot === undefined) throw this.#stray(callId, name);
    slot.content = content;
  }

  #stray(callId: string | undefined, name: string): Error {
    if (callId !== undefined && this.#slots.length > 0) {
      const ids = this.#slots.map(({ call }) => show(call.id)).join(", ");
      return invalid(
        `\`${name}.tool_call_id\` is ${show(callId)}, and no call that awaits a result before it ` +
          `has that id: the calls are ${ids}`,
        { name },
      );
    }
    return invalid(
      `\`${name}\` is a tool's result without its call: put it after the assistant's message whose ` +
        "`tool_calls` has the call, one result for each",
      { name },
    );
  }

  results(): PairedResult[] {
    return this.#slots.flatMap(({ call, content }) =>
      content === undefined
        ? []
        : [{ role: "tool", content, tool_call_id: call.id, name: call.function.name } as const],
    );
  }
}
