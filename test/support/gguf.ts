import { readFileSync } from "node:fs";

export type GgufMetadata = Map<string, unknown>;

const SCALARS: Record<number, [size: number, read: (at: number, bytes: Buffer) => unknown]> = {
  0: [1, (at, bytes) => bytes.readUInt8(at)],
  1: [1, (at, bytes) => bytes.readInt8(at)],
  2: [2, (at, bytes) => bytes.readUInt16LE(at)],
  3: [2, (at, bytes) => bytes.readInt16LE(at)],
  4: [4, (at, bytes) => bytes.readUInt32LE(at)],
  5: [4, (at, bytes) => bytes.readInt32LE(at)],
  6: [4, (at, bytes) => bytes.readFloatLE(at)],
  7: [1, (at, bytes) => bytes.readUInt8(at) !== 0],
  10: [8, (at, bytes) => Number(bytes.readBigUInt64LE(at))],
  11: [8, (at, bytes) => Number(bytes.readBigInt64LE(at))],
  12: [8, (at, bytes) => bytes.readDoubleLE(at)],
};
const STRING = 8;
const ARRAY = 9;

/** The key-value pairs of a GGUF file, arrays too. */
export function readGguf(path: string): GgufMetadata {
  const bytes = readFileSync(path);
  if (bytes.toString("latin1", 0, 4) !== "GGUF") throw new Error(`${path} is no GGUF file`);
  let at = 24;
  const take = (size: number) => {
    at += size;
    return at - size;
  };
  const length = () => Number(bytes.readBigUInt64LE(take(8)));
  const text = () => {
    const size = length();
    const begin = take(size);
    return bytes.toString("utf8", begin, begin + size);
  };
  const value = (type: number): unknown => {
    if (type === STRING) return text();
    if (type === ARRAY) {
      const element = bytes.readUInt32LE(take(4));
      const count = length();
      return Array.from({ length: count }, () => value(element));
    }
    const scalar = SCALARS[type];
    if (scalar === undefined) throw new Error(`${path} has a value of unknown type ${type}`);
    return scalar[1](take(scalar[0]), bytes);
  };
  const pairs: GgufMetadata = new Map();
  const count = Number(bytes.readBigUInt64LE(16));
  for (let i = 0; i < count; i++) {
    const key = text();
    pairs.set(key, value(bytes.readUInt32LE(take(4))));
  }
  return pairs;
}
