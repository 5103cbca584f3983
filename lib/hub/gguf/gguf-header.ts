import { CriaError, show } from "../../internal/errors.js";
import type { ByteSource } from "./byte-source.js";
import { HeaderReader } from "./header-reader.js";
import { tensorType } from "./tensor-types.js";

/** The kinds of values that metadata have. */
export type GgufValueType =
  | "uint8"
  | "int8"
  | "uint16"
  | "int16"
  | "uint32"
  | "int32"
  | "float32"
  | "bool"
  | "string"
  | "uint64"
  | "int64"
  | "float64";

/** One value. Of 64 bits it is a bigint where a number would not be exact. */
export type GgufScalar = string | number | bigint | boolean;

/** An array of the metadata. */
export interface GgufArray {
  /** What its elements are. */
  readonly type: GgufValueType;
  /** How many the file has. */
  readonly length: number;
  /** The first ones, as many as were asked for. */
  readonly values: readonly GgufScalar[];
}

export type GgufValue = GgufScalar | GgufArray;

/** A tensor, as the header describes it. */
export interface GgufTensor {
  /** As "blk.0.attn_q.weight". */
  readonly name: string;
  /** Elements in each dimension, the fastest one first, as ggml has them. */
  readonly shape: readonly number[];
  /** As "Q4_K"; "type 99" where it is unknown. */
  readonly type: string;
  /** Where it begins in its file, in bytes. */
  readonly offset: number;
  /** How long it is; null where the type is unknown. */
  readonly bytes: number | null;
  /** Index in `files` of the file that it is in. */
  readonly file: number;
}

/** One file's header. */
export interface GgufHeader {
  readonly version: number;
  readonly metadata: ReadonlyMap<string, GgufValue>;
  readonly tensors: readonly GgufTensor[];
}

type Read = (bytes: Buffer) => GgufScalar;

const STRING = 8;
const ARRAY = 9;
/** By the file's numbers: the name, the bytes, and how they are read. A string's bytes are its length. */
const VALUES: ReadonlyMap<number, readonly [GgufValueType, number, Read]> = new Map<
  number,
  readonly [GgufValueType, number, Read]
>([
  [0, ["uint8", 1, (b) => b.readUInt8()]],
  [1, ["int8", 1, (b) => b.readInt8()]],
  [2, ["uint16", 2, (b) => b.readUInt16LE()]],
  [3, ["int16", 2, (b) => b.readInt16LE()]],
  [4, ["uint32", 4, (b) => b.readUInt32LE()]],
  [5, ["int32", 4, (b) => b.readInt32LE()]],
  [6, ["float32", 4, (b) => b.readFloatLE()]],
  [7, ["bool", 1, (b) => b.readUInt8() !== 0]],
  [STRING, ["string", 8, () => ""]],
  [10, ["uint64", 8, (b) => exact(b.readBigUInt64LE())]],
  [11, ["int64", 8, (b) => exact(b.readBigInt64LE())]],
  [12, ["float64", 8, (b) => b.readDoubleLE()]],
]);

const PAIRS_MAX = 65_536;
const TENSORS_MAX = 262_144;
const KEY_MAX = 65_535;
const TENSOR_NAME_MAX = 1024;
const TEXT_MAX = 16 * 2 ** 20;
const TEXTS_MAX = 8_388_608;
const DIMENSIONS_MAX = 4;
/** The shortest pair: an empty key, its type, one byte. The shortest tensor: a name, a dimension, type and offset. */
const PAIR_MIN = 8 + 4 + 1;
const TENSOR_MIN = 8 + 4 + 8 + 4 + 8;

/**
 * Reads a file's header, and nothing behind it.
 *
 * @param arrayLength how many of an array's elements are kept
 * @throws {CriaError} ERR_MODEL_INVALID, ERR_UNSUPPORTED; as the source
 */
export async function readHeader(
  source: ByteSource,
  arrayLength: number,
  file: number,
): Promise<GgufHeader> {
  const reader = new HeaderReader(source);
  await reader.need(24, "its first bytes");
  const magic = reader.bytes(4).toString("latin1");
  if (magic !== "GGUF") throw reader.invalid(`it begins with ${show(magic)} instead of "GGUF"`);
  const version = reader.u32();
  checkVersion(version, source.shown);
  const tensorCount = reader.u64("the number of tensors");
  const pairCount = reader.u64("the number of key-value pairs");
  checkCount(reader, "key-value pairs", pairCount, PAIRS_MAX, PAIR_MIN);
  const metadata = new Map<string, GgufValue>();
  for (let i = 0; i < pairCount; i++) {
    const key = await text(reader, "a key", KEY_MAX);
    await reader.need(4, `the value of ${show(key)}`);
    const value = await readValue(reader, key, reader.u32(), arrayLength);
    if (metadata.has(key)) throw reader.invalid(`the key ${show(key)} is there twice`);
    metadata.set(key, value);
  }
  checkCount(reader, "tensors", tensorCount, TENSORS_MAX, TENSOR_MIN);
  const tensors: GgufTensor[] = [];
  const names = new Set<string>();
  for (let i = 0; i < tensorCount; i++) {
    const tensor = await readTensor(reader, file);
    if (names.has(tensor.name)) throw reader.invalid(`two tensors are called ${show(tensor.name)}`);
    names.add(tensor.name);
    tensors.push(tensor);
  }
  return { version, metadata, tensors: placed(reader, metadata, tensors) };
}

function checkVersion(version: number, shown: string): void {
  if (version === 2 || version === 3) return;
  const swapped = Buffer.alloc(4);
  swapped.writeUInt32LE(version);
  const isBig = swapped.readUInt32BE() <= 3;
  throw new CriaError(
    "ERR_UNSUPPORTED",
    `The file ${shown} is of ${isBig ? "a big-endian machine" : `GGUF's version ${version}`}; expected version 2 or 3 of ` +
      "a little-endian one. Convert the model again with a newer llama.cpp",
    { details: { path: shown, version } },
  );
}

/** Before anything is read of them: a count that cannot be costs neither time nor memory. */
function checkCount(
  reader: HeaderReader,
  what: string,
  count: number,
  most: number,
  bytes: number,
): void {
  if (count > most)
    throw reader.invalid(`it announces ${count} ${what}, of which ${most} are allowed`);
  if (count * bytes > reader.left) {
    throw reader.invalid(`it announces ${count} ${what}, and ends after ${reader.left} bytes`);
  }
}

async function text(reader: HeaderReader, what: string, most: number): Promise<string> {
  await reader.need(8, what);
  const length = reader.u64(`the length of ${what}`);
  if (length > most)
    throw reader.invalid(`${what} has ${length} bytes, of which ${most} are allowed`);
  await reader.need(length, what);
  return reader.bytes(length).toString("utf8");
}

async function readValue(
  reader: HeaderReader,
  key: string,
  type: number,
  arrayLength: number,
): Promise<GgufValue> {
  const what = `the value of ${show(key)}`;
  if (type === STRING) return text(reader, what, TEXT_MAX);
  if (type === ARRAY) return readArray(reader, what, arrayLength);
  const known = VALUES.get(type);
  if (known === undefined) throw reader.invalid(`${what} is of the unknown type ${type}`);
  const [, size, read] = known;
  await reader.need(size, what);
  return read(reader.bytes(size));
}

async function readArray(reader: HeaderReader, what: string, kept: number): Promise<GgufArray> {
  await reader.need(12, what);
  const type = reader.u32();
  const length = reader.u64(`the length of ${what}`);
  // llama.cpp reads none either.
  if (type === ARRAY) throw reader.invalid(`${what} is an array of arrays`);
  const known = VALUES.get(type);
  if (known === undefined) throw reader.invalid(`${what} is an array of the unknown type ${type}`);
  const [name, size, read] = known;
  // The engine's limit; texts are gone through one by one.
  if (type === STRING && length > TEXTS_MAX) {
    throw reader.invalid(`${what} has ${length} elements, of which ${TEXTS_MAX} are allowed`);
  }
  if (length * size > reader.left) {
    throw reader.invalid(
      `${what} has ${length} elements, and the file ends after ${reader.left} bytes`,
    );
  }
  const values: GgufScalar[] = [];
  if (type !== STRING) {
    const count = Math.min(length, kept);
    for (let i = 0; i < count; i++) {
      if (!reader.has(size)) await reader.need(size, what);
      values.push(read(reader.bytes(size)));
    }
    reader.skip((length - count) * size, what);
    return { type: name, length, values };
  }
  const itsLength = `the length of a text in ${what}`;
  for (let i = 0; i < length; i++) {
    if (!reader.has(8)) await reader.need(8, what);
    const bytes = reader.u64(itsLength);
    if (bytes > TEXT_MAX) throw reader.invalid(`a text in ${what} has ${bytes} bytes`);
    if (i >= kept) {
      reader.skip(bytes, what);
      continue;
    }
    if (!reader.has(bytes)) await reader.need(bytes, what);
    values.push(reader.bytes(bytes).toString("utf8"));
  }
  return { type: name, length, values };
}

/** Its offset is still counted from where the tensors begin. */
async function readTensor(reader: HeaderReader, file: number): Promise<GgufTensor> {
  const name = await text(reader, "a tensor's name", TENSOR_NAME_MAX);
  const what = `the tensor ${show(name)}`;
  await reader.need(4, what);
  const dimensions = reader.u32();
  if (dimensions > DIMENSIONS_MAX) throw reader.invalid(`${what} has ${dimensions} dimensions`);
  await reader.need(dimensions * 8 + 12, what);
  const shape = Array.from({ length: dimensions }, () => reader.u64(`a dimension of ${what}`));
  const id = reader.u32();
  const offset = reader.u64(`the offset of ${what}`);
  const elements = shape.reduce((product, length) => product * length, 1);
  if (!Number.isSafeInteger(elements)) throw reader.invalid(`${what} has ${elements} elements`);
  const type = tensorType(id);
  if (type === undefined) return { name, shape, type: `type ${id}`, offset, bytes: null, file };
  const row = shape[0] ?? 1;
  if (row % type.blockSize !== 0) {
    throw reader.invalid(`${what} has rows of ${row}, which ${type.name} cannot store`);
  }
  const bytes = (elements / type.blockSize) * type.blockBytes;
  return { name, shape, type: type.name, offset, bytes, file };
}

/** Offsets from the file's start. */
function placed(
  reader: HeaderReader,
  metadata: ReadonlyMap<string, GgufValue>,
  tensors: readonly GgufTensor[],
): GgufTensor[] {
  const alignment = metadata.get("general.alignment") ?? 32;
  if (typeof alignment !== "number" || alignment < 1 || !Number.isInteger(alignment)) {
    throw reader.invalid(`its alignment is ${show(alignment)}`);
  }
  const { size } = reader.source;
  const start = Math.ceil(reader.position / alignment) * alignment;
  return tensors.map((tensor) => {
    const offset = start + tensor.offset;
    if (offset + (tensor.bytes ?? 0) <= size) return { ...tensor, offset };
    throw reader.invalid(
      `the tensor ${show(tensor.name)} would end at ${offset + (tensor.bytes ?? 0)}, and the file ends at ${size}: it is ` +
        "incomplete",
    );
  });
}

function exact(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
