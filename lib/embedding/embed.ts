import { abortSignal, boolean, list, readOptions, string } from "../internal/checks.js";
import { CriaError, type Origin } from "../internal/errors.js";
import type { NativeAnswer, NativeCommand, NativePooling } from "../internal/native.js";
import { optionNames } from "../internal/option-names.js";
import { ownFloats } from "../internal/realm.js";
import { answered, type Command, type Requests } from "../internal/requests.js";
import { allOf, opener, type Task, Windowed, type Workplace } from "../internal/windowed.js";

/** How a text's vector is made of those of its tokens; "rank": a classifier's score of a pair. */
export type Pooling = NativePooling;

/** What `Context.embed` and `Context.embedMany` take besides the texts. */
export interface EmbedOptions {
  /** Scales vectors to length 1 (L2). Default true. */
  readonly normalize?: boolean;
  /** Aborts the call, which rejects with its reason at once; the engine is free soon after. Default: none. */
  readonly signal?: AbortSignal;
}

/** What `Context.rank` takes besides the texts. */
export interface RankOptions {
  /** Aborts the call, which rejects with its reason at once; the engine is free soon after. Default: none. */
  readonly signal?: AbortSignal;
}

/** What became of a text: its vector and how many tokens it has, or its error. */
export type EmbedResult = {
  /** The text's place in the iterable, from 0. */
  readonly index: number;
} & (
  | {
      /** The text's vector. */
      readonly embedding: Float32Array;
      /** How many tokens the text has. */
      readonly tokens: number;
      readonly error?: undefined;
    }
  | {
      readonly embedding?: undefined;
      readonly tokens?: undefined;
      /** ERR_INVALID_ARGUMENT, or what `embed` rejects with for this text. */
      readonly error: unknown;
    }
);

const EMBED_OPTIONS = optionNames("context.embed", ["normalize", "signal"]);
const RANK_OPTIONS = optionNames("context.rank", ["signal"]);

/** The context that embeds. */
interface EmbeddingContext extends Workplace {
  readonly pooling: Pooling | null;
}

/** What the functions here need of a context. */
export interface EmbedParts {
  readonly context: EmbeddingContext;
  readonly requests: Requests;
}

/** Texts under way for each that shares a batch: those of the next batches wait in the engine. */
const AHEAD = 3;

export async function embed(
  parts: EmbedParts,
  input: unknown,
  options: EmbedOptions | undefined,
  origin: Origin,
): Promise<Float32Array | Float32Array[]> {
  const { normalize, signal } = readEmbedOptions(parts.context, options);
  const alone = typeof input === "string";
  const texts = alone ? [input] : list(input, "input", "a string or an array of strings", string);
  const command = (text: string): NativeCommand => ({ type: "embed", text, normalize });
  const answers = await all(parts, { texts, name: "input", command, signal, origin });
  const vectors = answers.map(({ values }) => ownFloats(answered(values)));
  return alone ? (vectors[0] as Float32Array) : vectors;
}

export async function rank(
  parts: EmbedParts,
  query: unknown,
  documents: unknown,
  options: RankOptions | undefined,
  origin: Origin,
): Promise<Float32Array> {
  assertPooling(parts.context, "rank");
  const checked = string(query, "query");
  const texts = list(documents, "documents", "an array of strings", string);
  const { signal } = readOptions(options, "options", RANK_OPTIONS);
  if (signal !== undefined) abortSignal(signal, "options.signal");
  const command = (document: string): NativeCommand => ({ type: "rank", query: checked, document });
  const answers = await all(parts, { texts, name: "documents", command, signal, origin });
  return Float32Array.from(answers, ({ values }) => answered(answered(values)[0]));
}

export function embedMany(
  parts: EmbedParts,
  inputs: Iterable<string> | AsyncIterable<string>,
  options: EmbedOptions | undefined,
  origin: Origin,
): AsyncIterableIterator<EmbedResult> {
  const { context, requests } = parts;
  const { normalize, signal } = readEmbedOptions(context, options);
  return new Windowed<string, NativeAnswer, EmbedResult>({
    context,
    name: "inputs",
    open: opener(inputs, "inputs"),
    start: (input, index) => {
      const text = string(input, `inputs[${index}]`);
      return taskOf(requests.command({ type: "embed", text, normalize }, origin));
    },
    report: (index, _, outcome) =>
      "value" in outcome
        ? {
            index,
            embedding: ownFloats(answered(outcome.value.values)),
            tokens: answered(outcome.value.count),
          }
        : { index, error: outcome.error },
    signal,
    width: textsUnderWay(context),
  });
}

function textsUnderWay({ sequences }: EmbeddingContext): number {
  return sequences * AHEAD;
}

function readEmbedOptions(context: EmbeddingContext, options: EmbedOptions | undefined) {
  assertPooling(context, "embed");
  const { normalize = true, signal } = readOptions(options, "options", EMBED_OPTIONS);
  boolean(normalize, "options.normalize");
  if (signal !== undefined) abortSignal(signal, "options.signal");
  return { normalize, signal };
}

function assertPooling({ pooling }: EmbeddingContext, method: "embed" | "rank"): void {
  if (pooling === null) {
    throw new CriaError(
      "ERR_UNSUPPORTED",
      `This context generates: for \`${method}\` create another one with \`embeddings: true\``,
    );
  }
  const wanted: readonly Pooling[] = ["none", "mean", "cls", "last"];
  if (method === "rank" ? pooling === "rank" : wanted.includes(pooling)) return;
  throw new CriaError(
    "ERR_UNSUPPORTED",
    method === "rank"
      ? `This context embeds (pooling ${pooling}): to rank, create one with \`pooling: "rank"\``
      : 'This context ranks: to embed, create one with another `pooling` than "rank"',
  );
}

interface Work {
  readonly texts: readonly string[];
  /** What the caller knows them by. */
  readonly name: string;
  readonly command: (text: string) => NativeCommand;
  readonly signal: AbortSignal | undefined;
  readonly origin: Origin;
}

/** The answers in the order of the texts; the first error ends all of it. */
async function all(
  { context, requests }: EmbedParts,
  { texts, name, command, signal, origin }: Work,
): Promise<NativeAnswer[]> {
  return allOf({
    context,
    name,
    open: () => texts[Symbol.iterator](),
    start: (text, index) => {
      const { outcome, cancel } = taskOf(requests.command(command(text), origin));
      const failed = (error: unknown) => {
        throw texts.length > 1 ? placed(error, `${name}[${index}]`, index) : error;
      };
      return { outcome: outcome.catch(failed), cancel };
    },
    signal,
    width: textsUnderWay(context),
  });
}

function taskOf(running: Command): Task<NativeAnswer> {
  return { outcome: running.answer, cancel: () => running.cancel() };
}

/** Which one of many it was. */
function placed(error: unknown, name: string, index: number): unknown {
  if (!CriaError.is(error) || error.code === "ERR_DISPOSED") return error;
  return new CriaError(error.code, `${name}: ${error.message}`, {
    details: { index },
    cause: error,
  });
}
