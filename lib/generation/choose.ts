import { abortSignal, boolean, callback, list, readOptions, string } from "../internal/checks.js";
import { expected, invalid } from "../internal/errors.js";
import type { NativeAnswer, NativeCommand, NativeSegment } from "../internal/native.js";
import { optionNames } from "../internal/option-names.js";
import { answered } from "../internal/requests.js";
import { windowWidth } from "../internal/windowed.js";
import type { LoadedModel } from "../model/loaded-model.js";
import { nativeAdapters, type ScaledAdapter } from "../model/lora-adapter.js";
import { nativePrompt, type PromptVocabulary } from "../model/prompt.js";
import { nativeReuse } from "./generate-options.js";
import type { CachePrompt, GenerationUsage } from "./generation.js";
import { scoreUsage } from "./score.js";

/** How likely a text is behind a prompt, beside the others that were given. */
export interface Choice {
  /** The text, as it was given. */
  readonly text: string;
  /** Its share among the choices: all of them make 1. */
  readonly probability: number;
  /**
   * The natural logarithm of the probability that the model itself gives to the whole text, before any
   * sampler. Of a longer text it is lower: compare such ones by `logprob / tokens`.
   */
  readonly logprob: number;
  /** How many tokens the text has; with `ends`, one more. */
  readonly tokens: number;
}

/** What `Context.choose` takes besides the prompt and the choices. */
export interface ChooseOptions {
  /**
   * Whether the model has to end behind the text: the probability of a token that ends a turn or a text counts,
   * too. Needed where one choice is the beginning of another. Default false.
   */
  readonly ends?: boolean;
  /** Aborts the call, which rejects with its reason at once; the engine is free soon after. Default: none. */
  readonly signal?: AbortSignal;
  /** Prefix caching, as in `GenerateOptions`. Default true. */
  readonly cachePrompt?: CachePrompt;
  /** Told how many tokens each evaluation took. What it throws rejects the promise. */
  readonly onUsage?: (usage: GenerationUsage) => void;
  /** LoRA adapters that it is evaluated with, as in `GenerateOptions`. Default: none. */
  readonly adapters?: readonly ScaledAdapter[];
}

const CHOOSE_OPTIONS = optionNames("context.choose", [
  ...(["ends", "signal", "cachePrompt", "onUsage", "adapters"] as const),
]);
/** A list that a person would read. Labels by the thousand are for embeddings. */
const CHOICES_MAX = 1024;

/** What choosing needs of a context. */
interface ChoosingContext {
  readonly model: LoadedModel;
  readonly sequences: number;
  readonly vocabulary: PromptVocabulary;
  /** Ids of the tokens that end a turn or a text. */
  readonly endTokens: readonly number[];
  tokenize(text: string, signal: AbortSignal): Promise<Int32Array>;
  score(command: NativeCommand, signal: AbortSignal): Promise<NativeAnswer>;
}

/** Of the logits that one request makes: so many of a large vocabulary are 4 MiB. */
const ROWS_MAX = 8;

/** Where some choices go on with the same token, or one ends. */
interface Branch {
  readonly token: number;
  readonly parent: Branch | undefined;
  readonly next: Map<number, Branch>;
  /** Choices that end here. */
  readonly complete: number[];
  /** The logarithm of the probability of all up to here, once it is known, and of an end here. */
  logprob: number;
  end: number;
}

/**
 * The choices' tokens are a tree. The way to each leaf is evaluated in one go, as far as another leaf has
 * not been that way, behind the prompt, which is evaluated once; where only one token can come the model
 * has its own opinion all the same.
 */
export async function choose(
  context: ChoosingContext,
  prompt: unknown,
  given: unknown,
  options: ChooseOptions | undefined,
): Promise<Choice[]> {
  const { segments, addBos } = nativePrompt(prompt, context.vocabulary);
  const texts = readChoices(given);
  const o = readOptions(options, "options", CHOOSE_OPTIONS);
  const { ends = false, signal, cachePrompt = true, onUsage } = o;
  boolean(ends, "options.ends");
  if (signal !== undefined) abortSignal(signal, "options.signal");
  if (onUsage !== undefined) callback(onUsage, "options.onUsage");
  const reuse = nativeReuse(cachePrompt, "options.cachePrompt");
  const adapters = nativeAdapters(o.adapters, "options.adapters", context.model);

  // One that fails ends the others.
  const own = new AbortController();
  const either = signal === undefined ? own.signal : AbortSignal.any([own.signal, signal]);
  const ask = async (path: Int32Array, candidates: readonly (readonly number[])[]) => {
    const behind: NativeSegment[] = path.length > 0 ? [path] : [];
    const answer = await context.score(
      {
        type: "score",
        segments: [...segments, ...behind],
        addBos,
        candidates: Int32Array.from(candidates.flat()),
        counts: Int32Array.from(candidates, ({ length }) => length),
        reuse,
        adapters,
      },
      either,
    );
    onUsage?.(scoreUsage(answer));
    return answered(answer.values);
  };
  try {
    const tokens = await Promise.all(texts.map((text) => context.tokenize(text, either)));
    const root = treeOf(tokens, texts, ends);
    const endTokens = ends ? context.endTokens : [];
    const asked = ways(root, endTokens);
    const lane = async () => {
      for (const way of asked) await scoreWay(way, endTokens, ask);
    };
    await Promise.all(Array.from({ length: windowWidth(context.sequences) }, lane));
    return shares(texts, tokens, logprobsOf(root), ends);
  } finally {
    own.abort();
  }
}

function readChoices(given: unknown): string[] {
  const texts = list(given, "choices", "an array of texts", (value, name) => {
    if (string(value, name) === "") throw expected("a non-empty string", name, value);
    return value as string;
  });
  if (texts.length < 2 || texts.length > CHOICES_MAX) {
    throw expected(`2 to ${CHOICES_MAX} strings`, "choices", given);
  }
  return texts;
}

function newBranch(token: number, parent?: Branch): Branch {
  return { token, parent, next: new Map(), complete: [], logprob: 0, end: 0 };
}

function treeOf(tokens: readonly Int32Array[], texts: readonly string[], ends: boolean): Branch {
  const root = newBranch(-1);
  for (const [index, ids] of tokens.entries()) {
    let branch = root;
    for (const id of ids) {
      const next = branch.next.get(id) ?? newBranch(id, branch);
      branch.next.set(id, next);
      branch = next;
    }
    branch.complete.push(index);
  }
  for (const { complete, next } of branches(root)) {
    const [one, other] = complete;
    if (other !== undefined) {
      throw invalid(`\`choices[${one}]\` and \`choices[${other}]\` are the same: leave one out`, {
        text: texts[other],
      });
    }
    if (one !== undefined && next.size > 0 && !ends) {
      throw invalid(
        `\`choices[${one}]\` is the beginning of another choice, so that its probability has that one's in ` +
          "it: give `ends: true`, with which the end behind a text counts, or other texts",
        { text: texts[one] },
      );
    }
  }
  return root;
}

/** Each behind its parent, the shorter ones first. */
function* branches(root: Branch): Generator<Branch> {
  let level = [root];
  while (level.length > 0) {
    yield* level;
    level = level.flatMap(({ next }) => [...next.values()]);
  }
}

function pathOf(branch: Branch): Int32Array {
  const path: number[] = [];
  for (let at = branch; at.parent !== undefined; at = at.parent) path.push(at.token);
  return Int32Array.from(path.reverse());
}

/**
 * Branches one behind the other, up to `ROWS_MAX`, each in one of the ways: the way to the first leaf is
 * whole, that to each other one begins where it leaves those before it, and nothing comes between which
 * would take that from the cache.
 */
function* ways(root: Branch, endTokens: readonly number[]): Generator<Branch[]> {
  const starts = [root];
  for (let start = starts.pop(); start !== undefined; start = starts.pop()) {
    let way: Branch[] = [];
    let at: Branch | undefined = start;
    while (at !== undefined) {
      if (candidatesOf(at, endTokens).length > 0) way.push(at);
      if (way.length === ROWS_MAX) {
        yield way;
        way = [];
      }
      const [first, ...others]: Branch[] = [...at.next.values()];
      starts.push(...others.reverse());
      at = first;
    }
    if (way.length > 0) yield way;
  }
}

function candidatesOf({ next, complete }: Branch, endTokens: readonly number[]): number[] {
  const tokens = [...next.keys()];
  return complete.length > 0 ? [...tokens, ...endTokens] : tokens;
}

async function scoreWay(
  way: readonly Branch[],
  endTokens: readonly number[],
  ask: (path: Int32Array, candidates: readonly (readonly number[])[]) => Promise<Float32Array>,
): Promise<void> {
  const candidates = way.map((branch) => candidatesOf(branch, endTokens));
  const values = await ask(pathOf(way.at(-1)!), candidates);
  let from = 0;
  for (const [index, branch] of way.entries()) {
    const here = values.subarray(from, from + candidates[index]!.length);
    const next = [...branch.next.values()];
    for (const [at, child] of next.entries()) child.logprob = here[at]!;
    if (here.length > next.length) branch.end = logSum([...here.subarray(next.length)]);
    from += here.length;
  }
}

/** From each branch's own step to all the steps up to it. */
function logprobsOf(root: Branch): number[] {
  const logprobs: number[] = [];
  for (const branch of branches(root)) {
    branch.logprob += branch.parent?.logprob ?? 0;
    for (const index of branch.complete) logprobs[index] = branch.logprob + branch.end;
  }
  return logprobs;
}

function shares(
  texts: readonly string[],
  tokens: readonly Int32Array[],
  logprobs: readonly number[],
  ends: boolean,
): Choice[] {
  const all = logSum(logprobs);
  return texts.map((text, index) => {
    const logprob = logprobs[index] as number;
    const length = (tokens[index] as Int32Array).length + (ends ? 1 : 0);
    return { text, probability: Math.exp(logprob - all), logprob, tokens: length };
  });
}

function logSum(values: readonly number[]): number {
  const most = Math.max(...values);
  if (most === Number.NEGATIVE_INFINITY) return most;
  return most + Math.log(values.reduce((sum, value) => sum + Math.exp(value - most), 0));
}
