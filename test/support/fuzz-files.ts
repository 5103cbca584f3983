interface Pair {
  key: string;
  type: number;
  value: Buffer;
}

interface Tensor {
  name: string;
  shape: number[];
  type: number;
  data: Buffer;
  /** An offset of its own. */
  at?: number;
}

interface FuzzFiles {
  readonly BASES: Readonly<Record<string, { pairs: Pair[]; tensors: Tensor[] }>>;
  readonly TYPE: Readonly<
    Record<"uint32" | "int32" | "float32" | "bool" | "string" | "array", number>
  >;
  readGguf(bytes: Buffer): { pairs: Pair[]; tensors: Tensor[] };
  writeGguf(file: { pairs: readonly Pair[]; tensors: readonly Tensor[] }): Buffer;
  u32(value: number): Buffer;
  u64(value: number): Buffer;
  f32(value: number): Buffer;
  text(value: string): Buffer;
  list(type: number, values: readonly Buffer[]): Buffer;
}

/** test/fuzz/*.cjs, which programs without a compiler use, too. */
export const fuzzFiles: FuzzFiles = {
  ...require("../fuzz/gguf.cjs"),
  ...require("../fuzz/base-models.cjs"),
};
