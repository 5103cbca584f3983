import { dirname, join } from "node:path";
import { throwIfAborted } from "../../internal/abort.js";
import { abortSignal, integer, readOptions } from "../../internal/checks.js";
import { optionNames } from "../../internal/option-names.js";
import { partNames } from "../choose-files.js";
import { CONDUCT, type Conduct } from "../hub-client.js";
import { checkHubOptions, type HubOptions, hubSettings } from "../hub-settings.js";
import { readReference } from "../model-reference.js";
import { findModel } from "../model-source.js";
import { type ByteSource, FileSource, RemoteSource } from "./byte-source.js";
import { type GgufHeader, type GgufTensor, type GgufValue, readHeader } from "./gguf-header.js";
import { quantizationName } from "./tensor-types.js";

/** What `inspectGguf` takes. */
export interface InspectGgufOptions extends HubOptions {
  /**
   * How many elements are kept of each array of the metadata, 0…1,000,000; vocabularies have hundreds of thousands.
   * Default 64.
   */
  readonly arrayLength?: number;
  /** Aborts, and rejects with its reason. Default: none. */
  readonly signal?: AbortSignal;
}

/** What a model's files say of themselves. */
export interface GgufInfo {
  /** The files, of a split model all parts, with their lengths in bytes. */
  readonly files: readonly { readonly name: string; readonly sizeInBytes: number }[];
  /** GGUF's version. */
  readonly version: number;
  /** The family, as "llama"; "" where the file does not say. */
  readonly architecture: string;
  /** What it is called, or null. */
  readonly name: string | null;
  /** As "Q4_K_M"; where the file does not say, the type that most bytes have; "" without tensors. */
  readonly quantization: string;
  /** Weights, all tensors together. */
  readonly parameterCount: number;
  /** Bytes of all tensors together; those of an unknown type are not in it. */
  readonly sizeInBytes: number;
  /** Tokens of the longest text that it was trained on; 0 where the file does not say. */
  readonly contextLength: number;
  /** Numbers in a token's hidden state; 0 where the file does not say. */
  readonly embeddingLength: number;
  /** Layers of the network; 0 where the file does not say. */
  readonly layerCount: number;
  /** Tokens of the vocabulary; 0 where the file has none. */
  readonly vocabularySize: number;
  /** The file's own chat template (Jinja), or null. */
  readonly chatTemplate: string | null;
  /** The first file's key-value pairs in its order. */
  readonly metadata: ReadonlyMap<string, GgufValue>;
  /** Of all files, in their order. */
  readonly tensors: readonly GgufTensor[];
}

const OPTIONS = optionNames("inspectGguf", [
  ...(["arrayLength", "signal"] as const),
  ...(["token", "endpoint", "revision"] as const),
]);
const ARRAY_LENGTH = 64;
const ARRAY_LENGTH_MAX = 1_000_000;

/**
 * What a GGUF file holds, from its header alone: of a model elsewhere nothing else is fetched. No engine is loaded,
 * and files that no engine can load are read, too.
 *
 * @example
 * const { architecture, parameterCount } = await inspectGguf("models/cria-demo.gguf");
 * @param reference a file's path, or what `downloadModel` takes; of a split model any part
 * @throws {CriaError} ERR_INVALID_ARGUMENT; ERR_MODEL_NOT_FOUND; ERR_MODEL_INVALID; ERR_UNSUPPORTED for other versions
 * of GGUF, and servers that send no parts of files; ERR_DOWNLOAD_FAILED, ERR_DOWNLOAD_DENIED; the signal's reason
 */
export function inspectGguf(reference: string, options?: InspectGgufOptions): Promise<GgufInfo> {
  return inspectWith(CONDUCT, reference, options);
}

/** The same with a patience that tests choose. */
export async function inspectWith(
  conduct: Conduct,
  reference: string,
  options: InspectGgufOptions | undefined,
): Promise<GgufInfo> {
  const read = readReference(reference, "reference");
  const o = readOptions<InspectGgufOptions>(options, "options", OPTIONS);
  const { arrayLength = ARRAY_LENGTH, signal, ...hub } = o;
  integer(arrayLength, "options.arrayLength", 0, ARRAY_LENGTH_MAX);
  if (signal !== undefined) abortSignal(signal, "options.signal");
  checkHubOptions(hub);
  throwIfAborted(signal);
  const opened: (() => Promise<ByteSource>)[] = [];
  if (read.kind === "path") {
    opened.push(...partsOf(read.path).map((path) => () => FileSource.open(path)));
  } else {
    const found = await findModel(read, {
      ...{ settings: await hubSettings(hub), signal, conduct },
      cache: true,
    });
    if ("cached" in found) {
      opened.push(...found.cached.map((path) => () => FileSource.open(path)));
    } else {
      const { client, files } = found;
      opened.push(
        ...files.map(
          ({ url }) =>
            () =>
              RemoteSource.open(client, url),
        ),
      );
    }
  }
  const headers: GgufHeader[] = [];
  const files: GgufInfo["files"][number][] = [];
  for (const open of opened) {
    const source = await open();
    try {
      headers.push(await readHeader(source, arrayLength, files.length));
      files.push({ name: source.shown, sizeInBytes: source.size });
    } finally {
      await source.close();
    }
    throwIfAborted(signal);
  }
  return infoOf(headers, files);
}

/** The parts beside one of them. */
function partsOf(path: string): string[] {
  const name = path.slice(Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\")) + 1);
  const names = partNames(name);
  return names.length === 1 ? [path] : names.map((part) => join(dirname(path), part));
}

function infoOf(headers: readonly GgufHeader[], files: GgufInfo["files"]): GgufInfo {
  const { version, metadata } = headers[0] as GgufHeader;
  const tensors = headers.flatMap((header) => header.tensors);
  const architecture = textOf(metadata.get("general.architecture")) ?? "";
  const own = (key: string) => numberOf(metadata.get(`${architecture}.${key}`));
  const elements = ({ shape }: GgufTensor) =>
    shape.reduce((product, length) => product * length, 1);
  return {
    ...{ files, version, architecture },
    name: textOf(metadata.get("general.name")) ?? null,
    quantization: quantizationName(metadata.get("general.file_type")) ?? commonest(tensors),
    parameterCount: tensors.reduce((sum, tensor) => sum + elements(tensor), 0),
    sizeInBytes: tensors.reduce((sum, { bytes }) => sum + (bytes ?? 0), 0),
    contextLength: own("context_length"),
    embeddingLength: own("embedding_length"),
    layerCount: own("block_count"),
    vocabularySize: lengthOf(metadata.get("tokenizer.ggml.tokens")) || own("vocab_size"),
    chatTemplate: textOf(metadata.get("tokenizer.chat_template")) ?? null,
    ...{ metadata, tensors },
  };
}

/** The type of most bytes. */
function commonest(tensors: readonly GgufTensor[]): string {
  const sums = new Map<string, number>();
  for (const { type, bytes } of tensors) sums.set(type, (sums.get(type) ?? 0) + (bytes ?? 0));
  return [...sums].sort(([, a], [, b]) => b - a)[0]?.[0] ?? "";
}

function textOf(value: GgufValue | undefined): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function numberOf(value: GgufValue | undefined): number {
  return typeof value === "number" ? value : 0;
}

function lengthOf(value: GgufValue | undefined): number {
  return typeof value === "object" ? value.length : 0;
}
