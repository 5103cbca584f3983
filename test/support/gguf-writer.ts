import { writeFileSync } from "node:fs";

type Scalar = string | number | boolean | { readonly float: number };
export type GgufValue = Scalar | readonly string[] | Int32Array | Uint32Array | Float32Array;

export interface GgufTensor {
  readonly name: string;
  /** The fastest running dimension first, as ggml has it. */
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

/** A table of ids, as whole numbers of 64 or 32 bits. */
export interface GgufTable extends Omit<GgufTensor, "values"> {
  readonly values: BigInt64Array | Int32Array;
}

const TYPE = { uint32: 4, int32: 5, float32: 6, bool: 7, string: 8, array: 9 } as const;
const ALIGNMENT = 32;
const F32 = 0;
const I32 = 26;
const I64 = 27;

/** A GGUF file of tensors; whole numbers become uint32. */
export function writeGguf(
  path: string,
  metadata: Readonly<Record<string, GgufValue>>,
  tensors: readonly (GgufTensor | GgufTable)[],
): void {
  const head: Buffer[] = [Buffer.from("GGUF"), u32(3), u64(tensors.length)];
  const pairs = Object.entries(metadata);
  head.push(u64(pairs.length));
  for (const [key, value] of pairs) head.push(text(key), ...typed(value));
  let offset = 0;
  const data: Buffer[] = [];
  for (const { name, shape, values } of tensors) {
    head.push(text(name), u32(shape.length), ...shape.map(u64), u32(typeOf(values)), u64(offset));
    const bytes = Buffer.from(values.buffer, values.byteOffset, values.byteLength);
    data.push(bytes, padding(bytes.length));
    offset += bytes.length + padding(bytes.length).length;
  }
  const header = Buffer.concat(head);
  writeFileSync(path, Buffer.concat([header, padding(header.length), ...data]));
}

const typeOf = (values: (GgufTensor | GgufTable)["values"]) =>
  values instanceof Float32Array ? F32 : values instanceof Int32Array ? I32 : I64;

function typed(value: GgufValue): Buffer[] {
  if (typeof value === "string") return [u32(TYPE.string), text(value)];
  if (typeof value === "number") return [u32(TYPE.uint32), u32(value)];
  if (typeof value === "boolean") return [u32(TYPE.bool), Buffer.of(Number(value))];
  if (value instanceof Int32Array) return array(TYPE.int32, value.length, raw(value));
  if (value instanceof Uint32Array) return array(TYPE.uint32, value.length, raw(value));
  if (value instanceof Float32Array) return array(TYPE.float32, value.length, raw(value));
  if ("float" in value) return [u32(TYPE.float32), raw(Float32Array.of(value.float))];
  return array(TYPE.string, value.length, Buffer.concat(value.map(text)));
}

function array(type: number, length: number, bytes: Buffer): Buffer[] {
  return [u32(TYPE.array), u32(type), u64(length), bytes];
}

function raw(values: Int32Array | Uint32Array | Float32Array): Buffer {
  return Buffer.from(values.buffer, values.byteOffset, values.byteLength);
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function u64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([u64(bytes.length), bytes]);
}

function padding(length: number): Buffer {
  return Buffer.alloc((ALIGNMENT - (length % ALIGNMENT)) % ALIGNMENT);
}
