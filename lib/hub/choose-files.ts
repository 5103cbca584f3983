import { CriaError, show } from "../internal/errors.js";

/** A file of a repository, as the hub lists it. */
export interface HubFile {
  readonly path: string;
  readonly size: number;
  /** SHA-256 of what lies in large file storage, else undefined. */
  readonly sha256: string | undefined;
  /** Git's id of what lies in git itself. */
  readonly gitId: string | undefined;
}

/** One model of a repository: a file, or the parts of a split one in their order. */
export interface ModelFiles {
  readonly files: readonly HubFile[];
  /** "Q4_K_M", "UD-Q4_K_XL", "BF16", with "mmproj-" in front for projectors; "" where no name tells it. */
  readonly quantization: string;
}

/**
 * Which quantisation is taken where none is named: about four and a half bits lose little and fit most
 * machines; then larger ones, then smaller ones, then what was not quantised.
 */
export const DEFAULT_ORDER: readonly string[] = [
  ...["Q4_K_M", "Q4_K_S", "UD-Q4_K_XL", "IQ4_XS", "IQ4_NL", "Q4_0", "Q4_1", "MXFP4", "MXFP4_MOE"],
  ...["Q5_K_M", "Q5_K_S", "Q6_K", "Q8_0", "Q3_K_M", "Q3_K_L", "IQ3_M", "BF16", "F16", "F32"],
];

const QUANTIZATION =
  /(?<![A-Z0-9])((?:UD-)?(?:I?Q\d+(?:_[A-Z0-9]+)*|TQ\d_\d|MXFP\d(?:_MOE)?|NVFP\d|BF16|FP?16|FP?32))(?![A-Z0-9])/g;
const PART = /^(.*)-(\d{5})-of-(\d{5})$/s;
/** More parts than any model has: a name may announce a hundred thousand. */
const SPLIT_MAX = 1000;
/** Names in an error's message. */
const LISTED_MAX = 40;

/** How a split model's parts are called: which one of how many, and what the others are called. */
export function splitName(
  path: string,
): { readonly part: number; readonly of: number; name(part: number): string } | undefined {
  const [, ending = ""] = /(\.gguf)$/i.exec(path) ?? [];
  const [, stem, part = "", of = ""] = PART.exec(path.slice(0, path.length - ending.length)) ?? [];
  const count = Number(of);
  if (ending === "" || stem === undefined || count < 1 || Number(part) > count) return undefined;
  return {
    part: Number(part),
    of: count,
    name: (other) => `${stem}-${String(other).padStart(5, "0")}-of-${of}${ending}`,
  };
}

/**
 * All parts of the model that a name is a part of, whichever it is; the name itself where it is none.
 *
 * @throws {CriaError} ERR_MODEL_INVALID where it announces more than any model has
 */
export function partNames(name: string): string[] {
  const split = splitName(name);
  if (split === undefined) return [name];
  if (split.of > SPLIT_MAX) {
    throw new CriaError(
      "ERR_MODEL_INVALID",
      `Expected at most ${SPLIT_MAX} parts of a split model, got ${split.of} in ${show(name)}`,
      { details: { name } },
    );
  }
  return Array.from({ length: split.of }, (_, i) => split.name(i + 1));
}

/**
 * The files that a reference means.
 *
 * @throws {CriaError} ERR_MODEL_NOT_FOUND, with what there is; ERR_MODEL_INVALID as `partNames`
 */
export function chooseFiles(
  files: readonly HubFile[],
  { file, tag }: { readonly file: string | undefined; readonly tag: string | undefined },
  repository: string,
): readonly HubFile[] {
  if (file !== undefined) return namedFiles(files, file, repository);
  const models = modelsOf(files);
  if (tag !== undefined && tag.toLowerCase() !== "latest") {
    const found = tagged(models, tag);
    if (found.length === 1) return (found[0] as ModelFiles).files;
    const problem = found.length === 0 ? "has no" : "has several files of";
    throw notFound(
      `The repository ${repository} ${problem} quantisation ${show(tag)}`,
      ...[repository, found.length === 0 ? models : found],
    );
  }
  const weights = models.filter(({ quantization }) => !isProjector(quantization));
  if (weights.length === 1) return (weights[0] as ModelFiles).files;
  for (const name of DEFAULT_ORDER) {
    const found = tagged(weights, name);
    if (found.length === 1) return (found[0] as ModelFiles).files;
  }
  throw notFound(
    weights.length === 0
      ? `The repository ${repository} has no GGUF model`
      : `Expected a quantisation in the reference, since none of ${repository} is taken by default`,
    repository,
    models,
  );
}

/** The files of a repository as models, in the order of their names. */
export function modelsOf(files: readonly HubFile[]): ModelFiles[] {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const models: ModelFiles[] = [];
  for (const path of [...byPath.keys()].sort()) {
    if (!/\.gguf$/i.test(path) || /(?:^|[-_./])imatrix/i.test(path)) continue;
    const split = splitName(path);
    if (split !== undefined && (split.part !== 1 || split.of > SPLIT_MAX)) continue;
    const known = knownFiles(split?.of ?? 1, split?.name ?? (() => path), byPath);
    if (known !== undefined) models.push({ files: known, quantization: quantizationOf(path) });
  }
  return models;
}

/** All parts, or undefined at the first one that is missing: a list may have as many first parts as it likes. */
function knownFiles(
  count: number,
  name: (part: number) => string,
  byPath: ReadonlyMap<string, HubFile>,
): HubFile[] | undefined {
  const files: HubFile[] = [];
  for (let part = 1; part <= count; part++) {
    const file = byPath.get(name(part));
    if (file === undefined) return undefined;
    files.push(file);
  }
  return files;
}

/** What a file's name says. */
export function quantizationOf(path: string): string {
  const file = path.slice(path.lastIndexOf("/") + 1).replace(/\.gguf$/i, "");
  const stem = PART.exec(file)?.[1] ?? file;
  const own = [...stem.toUpperCase().matchAll(QUANTIZATION)].at(-1)?.[1] ?? "";
  const quantization = own.replace(/^FP(?=16|32)/, "F");
  if (!/mmproj/i.test(file)) return quantization;
  return quantization === "" ? "mmproj" : `mmproj-${quantization}`;
}

function isProjector(quantization: string): boolean {
  return quantization.startsWith("mmproj");
}

/** "mmproj" alone is the only projector, or the one that was not quantised. */
function tagged(models: readonly ModelFiles[], tag: string): ModelFiles[] {
  const wanted = tag.toUpperCase();
  const found = models.filter(({ quantization }) => quantization.toUpperCase() === wanted);
  if (found.length > 0 || wanted !== "MMPROJ") return found;
  const projectors = models.filter(({ quantization }) => isProjector(quantization));
  if (projectors.length === 1) return projectors;
  for (const name of ["mmproj-F16", "mmproj-BF16", "mmproj-F32"]) {
    const plain = projectors.filter(({ quantization }) => quantization === name);
    if (plain.length > 0) return plain;
  }
  return [];
}

/** A file by its path; of a split model all parts, whichever was named. */
function namedFiles(
  files: readonly HubFile[],
  path: string,
  repository: string,
): readonly HubFile[] {
  const wanted = partNames(path);
  const byPath = new Map(files.map((file) => [file.path, file]));
  const found = wanted.map((part) => byPath.get(part)).filter((part) => part !== undefined);
  if (found.length === wanted.length) return found;
  const missing = wanted.find((part) => !byPath.has(part)) as string;
  throw notFound(
    `The repository ${repository} has no file ${show(missing)}`,
    repository,
    modelsOf(files),
  );
}

function notFound(what: string, repository: string, models: readonly ModelFiles[]): CriaError {
  const there = models.map(({ quantization, files }) => {
    const [{ path }] = files as [HubFile];
    return quantization === "" ? `/${path}` : `:${quantization} (${path})`;
  });
  const more = there.length > LISTED_MAX ? `, and ${there.length - LISTED_MAX} more` : "";
  const listed = there.slice(0, LISTED_MAX).join(", ");
  return new CriaError(
    "ERR_MODEL_NOT_FOUND",
    there.length === 0 ? what : `${what}: there are ${listed}${more}`,
    { details: { repository, models: models.map(({ files }) => files[0]?.path) } },
  );
}
