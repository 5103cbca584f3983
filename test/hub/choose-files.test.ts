import {
  chooseFiles,
  type HubFile,
  modelsOf,
  partNames,
  quantizationOf,
  splitName,
} from "../../lib/hub/choose-files.js";
import { CriaError } from "../../lib/index.js";

const REPOSITORY = "user/repo";

function filesOf(...paths: string[]): HubFile[] {
  return paths.map((path) => ({ path, size: 1, sha256: undefined, gitId: undefined }));
}

function chosen(paths: string[], tag?: string, file?: string): string[] {
  return chooseFiles(filesOf(...paths), { tag, file }, REPOSITORY).map(({ path }) => path);
}

function refusal(paths: string[], tag?: string): CriaError {
  try {
    chosen(paths, tag);
  } catch (error) {
    if (CriaError.is(error)) return error;
  }
  throw new Error("it was not refused");
}

test.each([
  ["Llama-3.2-3B-Instruct-Q4_K_M.gguf", "Q4_K_M"],
  ["llama-3.2-3b-instruct.q4_k_m.gguf", "Q4_K_M"],
  ["gemma-3-27b-it-UD-Q4_K_XL.gguf", "UD-Q4_K_XL"],
  ["Qwen3-8B-IQ2_XXS.gguf", "IQ2_XXS"],
  ["Qwen2.5-Q8_0-00001-of-00003.gguf", "Q8_0"],
  ["BF16/model-BF16-00001-of-00002.gguf", "BF16"],
  ["ggml-model-f16.gguf", "F16"],
  ["model-fp16.gguf", "F16"],
  ["gpt-oss-20b-mxfp4.gguf", "MXFP4"],
  ["mmproj-model-f16.gguf", "mmproj-F16"],
  ["mmproj.gguf", "mmproj"],
  ["q4_0-distilled-Q5_K_M.gguf", "Q5_K_M"],
  ["model.gguf", ""],
  ["Q4Kmodel.gguf", ""],
])("the name %s says %j", (path, quantization) => {
  expect(quantizationOf(path)).toBe(quantization);
});

test.each([
  ["a-00002-of-00003.gguf", 2, 3, "a-00001-of-00003.gguf"],
  ["b/a-00001-of-00001.GGUF", 1, 1, "b/a-00001-of-00001.GGUF"],
])("%s is a part", (path, part, of, first) => {
  const split = splitName(path);
  expect([split?.part, split?.of, split?.name(1)]).toEqual([part, of, first]);
});

test.each(["a.gguf", "a-1-of-2.gguf", "a-00003-of-00002.gguf", "a-00001-of-00002.bin"])(
  "%s is no part",
  (path) => expect(splitName(path)).toBeUndefined(),
);

const MANY = [
  ...["m-Q8_0.gguf", "m-Q4_K_M.gguf", "m-Q4_K_S.gguf", "m-UD-Q4_K_M.gguf", "mmproj-m-f16.gguf"],
  ...["mmproj-m-Q8_0.gguf", "m.imatrix.gguf", "imatrix.gguf", "README.md"],
];

test("without a tag it is Q4_K_M, else what is nearest, and never a projector", () => {
  expect(chosen(MANY)).toEqual(["m-Q4_K_M.gguf"]);
  expect(chosen(MANY, "latest")).toEqual(["m-Q4_K_M.gguf"]);
  expect(chosen(["m-Q8_0.gguf", "m-Q6_K.gguf", "m-Q2_K.gguf"])).toEqual(["m-Q6_K.gguf"]);
  expect(chosen(["m-Q2_K.gguf", "mmproj-m-Q4_K_M.gguf"])).toEqual(["m-Q2_K.gguf"]);
  expect(chosen(["anything.gguf", "imatrix.gguf"])).toEqual(["anything.gguf"]);
});

test("a tag is the name's own, in any case", () => {
  expect(chosen(MANY, "q8_0")).toEqual(["m-Q8_0.gguf"]);
  expect(chosen(MANY, "UD-Q4_K_M")).toEqual(["m-UD-Q4_K_M.gguf"]);
  expect(chosen(MANY, "mmproj")).toEqual(["mmproj-m-f16.gguf"]);
  expect(chosen(MANY, "mmproj-q8_0")).toEqual(["mmproj-m-Q8_0.gguf"]);
});

test("what is not there is told with what there is", () => {
  const { code, message, details } = refusal(MANY, "Q2_K");
  expect(code).toBe("ERR_MODEL_NOT_FOUND");
  expect(message).toContain(":Q4_K_M (m-Q4_K_M.gguf), :Q4_K_S (m-Q4_K_S.gguf)");
  expect(message).toContain(":mmproj-F16 (mmproj-m-f16.gguf)");
  expect(message).not.toContain("imatrix");
  expect(details?.repository).toBe(REPOSITORY);
  expect(refusal(["README.md"]).message).toBe("The repository user/repo has no GGUF model");
  expect(refusal(["a-Q2_K.gguf", "b-Q2_K.gguf"]).message).toContain("/a-Q2_K.gguf".slice(1));
  expect(refusal(["a-Q4_0.gguf", "b-Q4_0.gguf"], "Q4_0").message).toContain("several");
  const lots = Array.from({ length: 60 }, (_, i) => `m${i}-Q2_K.gguf`);
  expect(refusal(lots, "Q4_0").message).toMatch(/, and 20 more$/);
});

test("names that announce parts without an end cost nothing", () => {
  const paths = Array.from({ length: 20_000 }, (_, i) => `m${i}-00001-of-99999.gguf`);
  expect(modelsOf(filesOf(...paths))).toEqual([]);
  expect(modelsOf(filesOf("m-00001-of-99999.gguf"))).toEqual([]);
  expect(() => chosen(paths, undefined, "m-00001-of-99999.gguf")).toThrow(/at most 1000 parts/);
  expect(partNames("m-00007-of-01000.gguf")).toHaveLength(1000);
});

test("a split model is there whole or not at all", () => {
  const parts = [1, 2, 3].map((n) => `Q8_0/m-Q8_0-0000${n}-of-00003.gguf`);
  expect(chosen([...parts].reverse(), "Q8_0")).toEqual(parts);
  expect(chosen(parts, undefined, parts[1])).toEqual(parts);
  expect(modelsOf(filesOf(...parts.slice(1)))).toEqual([]);
  expect(refusal(parts.slice(0, 2), "Q8_0").code).toBe("ERR_MODEL_NOT_FOUND");
});
