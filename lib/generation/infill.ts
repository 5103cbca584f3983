import { asyncDispose } from "../internal/async-dispose.js";
import { list, readOptions, string } from "../internal/checks.js";
import { CriaError } from "../internal/errors.js";
import type { NativeInfillTokens } from "../internal/native.js";
import { optionNames } from "../internal/option-names.js";
import type { Generation, GenerationChunk, GenerationResult } from "./generation.js";
import { promptRoom } from "./prompt-room.js";

/** A file beside the one that is written. */
export interface InfillFile {
  /** Its name, as the model is told it. */
  readonly path: string;
  /** What is in it. */
  readonly text: string;
}

/** What stands around the text that is to be written. */
export interface InfillInput {
  /** What stands in front of it. */
  readonly prefix: string;
  /** What stands behind it. */
  readonly suffix: string;
  /** The name of the file, for models that were trained on several files. Default "filename". */
  readonly path?: string;
  /** Other files, the most important last: what does not fit is left out from the beginning. Default none. */
  readonly files?: readonly InfillFile[];
}

/** What the prompt has to fit, and what tokenizes it. */
export interface InfillSurroundings {
  readonly contextSize: number;
  readonly batchSize: number;
  /** Of the answer; undefined: as many as there is room for. */
  readonly maxTokens: number | undefined;
  readonly tokens: NativeInfillTokens;
  /** -1: none is wanted. */
  readonly bos: number;
  readonly tokenize: (text: string) => Promise<Int32Array>;
}

const INPUT = optionNames("context.infill", ["prefix", "suffix", "path", "files"]);

/** A text is only tokenized as far as it may fit: no text of use has more characters to a token. */
const WIDEST = 32;
/** What llama-server's prompts call the repository, and a file without a name. */
const REPOSITORY = "myproject";
const FILE = "filename";
/** In front of each file, for models without a token that parts files. */
const SNIPPET = "\n\n--- snippet ---\n\n";

/** @throws {CriaError} ERR_INVALID_ARGUMENT */
export function readInfill(input: InfillInput): Required<InfillInput> {
  const { prefix, suffix, path = FILE, files = [] } = readOptions(input, "input", INPUT);
  return {
    prefix: string(prefix, "input.prefix"),
    suffix: string(suffix, "input.suffix"),
    path: string(path, "input.path"),
    files: list(files, "input.files", "an array of files", (file, name) => {
      const read = readOptions(file as InfillFile, name, ["path", "text"]);
      return { path: string(read.path, `${name}.path`), text: string(read.text, `${name}.text`) };
    }),
  };
}

/** @throws {CriaError} ERR_UNSUPPORTED */
export function assertInfills({ prefix, suffix, middle }: NativeInfillTokens): void {
  if (prefix >= 0 && suffix >= 0 && middle >= 0) return;
  throw new CriaError(
    "ERR_UNSUPPORTED",
    "The model has no tokens for infilling (FIM): take one that was trained for it, such as Qwen2.5-Coder",
  );
}

/**
 * The prompt as llama-server builds it for `/infill`: other files, then prefix and suffix, then the token
 * behind which the middle comes. All texts are tokenized as texts: what spells a control token stays text.
 */
export async function infillPrompt(
  { prefix, suffix, path, files }: Required<InfillInput>,
  around: InfillSurroundings,
): Promise<Int32Array> {
  const { contextSize, batchSize, maxTokens, tokens, bos, tokenize } = around;
  const room = promptRoom(contextSize, maxTokens);
  const quarter = Math.floor(Math.min(batchSize, room) / 4);
  const before = lastOf(await tokenize(endOf(prefix, 3 * quarter)), 3 * quarter);
  const most = Math.max(0, quarter - 2);
  const behind = (await tokenize(startOf(suffix, most))).subarray(0, most);
  const start = bos >= 0 ? [bos] : [];
  const own = [
    ...[...start, tokens.prefix, ...before],
    ...[tokens.suffix, ...behind],
    tokens.middle,
  ];
  const left = Math.max(0, room - own.length);
  return Int32Array.from([...(await filesOf({ files, path }, left, around)), ...own]);
}

/** The last `left` tokens of the other files and the name of this one. */
async function filesOf(
  { files, path }: Pick<Required<InfillInput>, "files" | "path">,
  left: number,
  { tokens: { repository, file }, tokenize }: InfillSurroundings,
): Promise<number[]> {
  const parts: number[][] = [];
  const add = async (text: string, control = -1) => {
    const ids = [...(await tokenize(endOf(text, left)))];
    parts.push(control >= 0 ? [control, ...ids] : ids);
  };
  if (file >= 0) await add(`${path}\n`, file);
  for (const one of files.toReversed()) {
    // What is in front of it would be left out in any case.
    if (parts.reduce((sum, { length }) => sum + length, 0) >= left) break;
    await add(one.text);
    await (file >= 0 ? add(`${one.path}\n`, file) : add(SNIPPET));
  }
  if (repository >= 0) await add(`${REPOSITORY}\n`, repository);
  const all = parts.reverse().flat();
  return left === 0 ? [] : all.slice(-left);
}

function lastOf(ids: Int32Array, count: number): Int32Array {
  return ids.subarray(Math.max(0, ids.length - count));
}

function startOf(text: string, tokens: number): string {
  return wholeCharacters(text.slice(0, tokens * WIDEST));
}

function endOf(text: string, tokens: number): string {
  return tokens === 0 ? "" : wholeCharacters(text.slice(-tokens * WIDEST));
}

/** Without the halves of characters that a cut leaves at its ends. */
function wholeCharacters(text: string): string {
  return text.replace(/^[\udc00-\udfff]|[\ud800-\udbff]$/g, "");
}

/** A generation whose prompt is still being made. */
export class LateGeneration implements Generation {
  readonly #started: Promise<Generation>;
  #running: Generation | undefined;
  #cancelled = false;

  constructor(started: Promise<Generation>) {
    this.#started = started.then((running) => {
      this.#running = running;
      // It tells that it was cancelled as any other does.
      if (this.#cancelled) running.cancel();
      return running;
    });
    this.#started.catch(() => {}); // whoever reads it is told
  }

  async result(): Promise<GenerationResult> {
    return (await this.#started).result();
  }

  cancel(): void {
    this.#cancelled = true;
    this.#running?.cancel();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<GenerationChunk, undefined> {
    for await (const chunk of await this.#started) yield chunk;
    return undefined;
  }

  async [asyncDispose](): Promise<void> {
    this.cancel();
    await this.result().catch(() => {}); // the error belongs to the one who asked for output
  }
}
