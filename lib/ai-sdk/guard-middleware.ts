import { type ChatGuard, type Moderator, readGuard, speaks } from "../chat/moderated/moderation.js";
import { shown } from "../chat/session-history.js";
import type { GuardVerdict } from "../guard/guard-types.js";
import { throwIfAborted } from "../internal/abort.js";
import { oneOf, readOptions } from "../internal/checks.js";
import { CriaError, show } from "../internal/errors.js";
import { given } from "../internal/given.js";
import { jsonCopy } from "../internal/json-text.js";
import { optionNames } from "../internal/option-names.js";
import { type ChatMessageInput, readMessages } from "../messages/messages.js";
import { conversationOf } from "./prompt-messages.js";
import type {
  AnswerMetadata,
  CallWarning,
  FinishReason,
  Json,
  LanguageCallOptions,
  LanguageUsage,
  SpecificationVersion,
} from "./specification.js";

/** What `guardMiddleware` takes besides the guard. */
export interface GuardMiddlewareOptions<V extends SpecificationVersion = SpecificationVersion> {
  /** Of the AI SDK's provider specification. Default "v3". */
  readonly specification?: V;
}

/** Parts of any provider's, of which only those are looked at that say something. */
type AnyPart = { type: string };
type Generated = {
  content: AnyPart[];
  finishReason: FinishReason;
  usage: LanguageUsage;
  warnings: CallWarning[];
  providerMetadata?: Record<string, object>;
  request?: object;
  response?: Record<string, unknown>;
};
type Streamed = { stream: ReadableStream<AnyPart> };

/** A middleware of the AI SDK's, for `wrapLanguageModel`. */
export interface GuardMiddleware<V extends SpecificationVersion = SpecificationVersion> {
  readonly specificationVersion: V;
  // biome-ignore lint/suspicious/noExplicitAny: the answer is of the wrapped model's own type
  wrapGenerate(call: { doGenerate: () => PromiseLike<any>; params: any }): Promise<any>;
  // biome-ignore lint/suspicious/noExplicitAny: as above
  wrapStream(call: { doStream: () => PromiseLike<any>; params: any }): Promise<any>;
}

const OPTIONS = optionNames("guardMiddleware", ["specification"]);

/**
 * A guard around any language model of the AI SDK's, of another provider too: what is judged unsafe ends the call with
 * the finish reason "content-filter" and nothing in it, and the verdict is in `providerMetadata.cria.moderation`. An
 * answer is shown when all of it has been judged. For models of cria's own, `createCria(context, { guard })` judges
 * sentence by sentence while it streams.
 *
 * @param guard a `LlamaGuard` for input and answers, or one for each
 * @example
 * const model = wrapLanguageModel({ model: other, middleware: guardMiddleware(guard) });
 * @throws {CriaError} ERR_INVALID_ARGUMENT
 */
export function guardMiddleware<V extends SpecificationVersion = "v3">(
  guard: Moderator | ChatGuard,
  options?: GuardMiddlewareOptions<V>,
): GuardMiddleware<V> {
  const { specification = "v3" } = readOptions(options, "options", OPTIONS);
  const gate = new CallGate(readGuard(guard, "guard"));
  return {
    specificationVersion: oneOf(specification, "options.specification", ["v3", "v4"]) as V,
    async wrapGenerate({ doGenerate, params }): Promise<Generated> {
      const refused = await gate.input(params);
      if (refused !== undefined) return { content: [], warnings: [], ...blocked(refused, NOTHING) };
      const result: Generated = await doGenerate();
      const verdict = await gate.output(params, result.content);
      if (verdict === undefined) return result;
      const { warnings, request, response, usage } = result;
      return {
        ...{ content: [], warnings, ...given({ request }) },
        ...(response && { response: toldOf(response) }),
        ...blocked(verdict, usage),
      };
    },
    async wrapStream({ doStream, params }): Promise<Streamed> {
      const refused = await gate.input(params);
      if (refused !== undefined) {
        const parts = [
          { type: "stream-start", warnings: [] },
          { type: "finish", ...blocked(refused, NOTHING) },
        ];
        return { stream: streamed(async () => parts) };
      }
      const result: Streamed = await doStream();
      const reader = result.stream.getReader();
      const left = new AbortController();
      const { abortSignal: own } = params as LanguageCallOptions;
      const abortSignal = own === undefined ? left.signal : AbortSignal.any([own, left.signal]);
      // Nobody generates or judges for a reader that has left.
      const leave = (reason: unknown) => {
        left.abort(reason);
        return reader.cancel(reason);
      };
      const work = () => judged(reader, { ...params, abortSignal }, gate);
      return { ...result, stream: streamed(work, leave) };
    },
  };
}

const NOTHING: LanguageUsage = {
  inputTokens: { total: 0, noCache: 0, cacheRead: 0, cacheWrite: undefined },
  outputTokens: { total: 0, text: 0, reasoning: 0 },
};

function blocked(verdict: GuardVerdict, usage: LanguageUsage) {
  const moderation = jsonCopy(verdict, "verdict") as Json;
  return {
    finishReason: { unified: "content-filter", raw: "moderated" } satisfies FinishReason,
    usage,
    providerMetadata: { cria: { moderation } } satisfies AnswerMetadata,
  };
}

/** What is about the answer and not of it: the body, as a provider has it, says all that was blocked. */
function toldOf({ id, timestamp, modelId, headers }: Record<string, unknown>) {
  return given({ id, timestamp, modelId, headers });
}

/** Whatever fails in it fails the call: nothing passes unjudged. */
class CallGate {
  readonly #guard: ChatGuard;

  constructor(guard: ChatGuard) {
    this.#guard = guard;
  }

  /** The verdict on the first message of the input that is not safe. */
  async input(call: LanguageCallOptions): Promise<GuardVerdict | undefined> {
    const { before, input } = conversationOf(call.prompt);
    for (let count = 1; count <= input.length; count++) {
      const { role } = input[count - 1] as ChatMessageInput;
      const moderator = role === "tool" ? this.#guard.toolResults : this.#guard.input;
      if (role === "system" || moderator === undefined) continue;
      const verdict = await judge(moderator, [...before, ...input.slice(0, count)], call);
      if (verdict?.safe === false) return verdict;
    }
    return undefined;
  }

  /** The verdict on an answer that is not safe. */
  async output(
    call: LanguageCallOptions,
    content: readonly AnyPart[],
  ): Promise<GuardVerdict | undefined> {
    const { output } = this.#guard;
    if (output === undefined) return undefined;
    const said = content.filter(({ type }) => !SILENT.includes(type));
    if (said.length === 0) return undefined;
    const answer = { role: "assistant", content: said.map(spoken) };
    const { before, input } = conversationOf([...call.prompt, answer]);
    const verdict = await judge(output, [...before, ...input], call);
    return verdict?.safe === false ? verdict : undefined;
  }
}

/** Parts that show nothing of what the model made up. */
const SILENT: readonly string[] = ["source", "tool-result", "tool-approval-request"];

/** Thoughts are shown, so they are judged; a call's input is JSON text in an answer, and its value in a prompt. */
function spoken(part: AnyPart): AnyPart {
  const { text, input } = part as { text?: unknown; input?: unknown };
  if (part.type === "reasoning") return { type: "text", text: `${text}\n\n` } as AnyPart;
  if (part.type !== "tool-call" || typeof input !== "string") return part;
  try {
    return { ...part, input: JSON.parse(input) } as AnyPart;
  } catch {
    return { type: "text", text: `\n${input}\n` } as AnyPart;
  }
}

/** Undefined where the last message has nothing to judge. */
async function judge(
  moderator: Moderator,
  conversation: readonly ChatMessageInput[],
  { abortSignal: signal }: LanguageCallOptions,
): Promise<GuardVerdict | undefined> {
  throwIfAborted(signal);
  const read = readMessages(conversation);
  if (!speaks(read.at(-1) as (typeof read)[number])) return undefined;
  const messages = read.filter(speaks).map(shown);
  const verdict = await moderator.moderate(messages, given({ signal }));
  if (typeof verdict?.safe === "boolean") return verdict;
  throw new CriaError(
    "ERR_GUARD_UNREADABLE",
    `Expected a verdict from \`moderate\` of the guard, got ${show(verdict)}`,
  );
}

/** All parts of the answer, or in their place that it was not safe. */
async function judged(
  reader: ReadableStreamDefaultReader<AnyPart>,
  call: LanguageCallOptions,
  gate: CallGate,
): Promise<AnyPart[]> {
  const parts: AnyPart[] = [];
  for (let step = await reader.read(); !step.done; step = await reader.read()) {
    parts.push(step.value);
  }
  const verdict = await gate.output(call, whole(parts));
  if (verdict === undefined) return parts;
  const end = parts.find(({ type }) => type === "finish") as { usage?: LanguageUsage } | undefined;
  const kept = parts.filter(({ type }) => type === "stream-start" || type === "response-metadata");
  return [...kept, { type: "finish", ...blocked(verdict, end?.usage ?? NOTHING) } as AnyPart];
}

/** The content that a stream's parts make. */
function whole(parts: readonly AnyPart[]): AnyPart[] {
  const content: AnyPart[] = [];
  const open = new Map<string, { type: string; text: string }>();
  for (const part of parts) {
    const { type, id = "", delta = "" } = part as { type: string; id?: string; delta?: string };
    const [, kind, step] = /^(text|reasoning)-(start|delta|end)$/.exec(type) ?? [];
    if (kind !== undefined) {
      const key = `${kind} ${id}`;
      const begun = step === "start" ? undefined : open.get(key);
      const one = begun ?? { type: kind, text: "" };
      // Also one that has no start: what is passed on is judged.
      if (begun === undefined) {
        open.set(key, one);
        content.push(one);
      }
      one.text += delta;
    } else if (!FRAME.test(type)) content.push(part);
  }
  return content.filter((part) => (part as { text?: string }).text !== "");
}

/** Parts around the content, and pieces of calls, which come whole behind them. */
const FRAME = /^(stream-start|response-metadata|finish|error|raw|ping|tool-input-.*)$/;

/** @param leave called when the reader goes; what `work` gives or throws behind that is lost */
function streamed(
  work: () => Promise<AnyPart[]>,
  leave?: (reason: unknown) => Promise<void>,
): ReadableStream<AnyPart> {
  return new ReadableStream<AnyPart>({
    async start(controller) {
      for (const part of await work()) controller.enqueue(part);
      controller.close();
    },
    ...given({ cancel: leave }),
  });
}
