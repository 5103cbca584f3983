import { resolve } from "node:path";
import { filePath, integer, isPlainObject, list, number, readOptions } from "../internal/checks.js";
import { expected } from "../internal/errors.js";
import type { NativeControlVector } from "../internal/native.js";
import { optionNames } from "../internal/option-names.js";

/** A direction in the model's hidden state for each layer, which makes more or less of a trait. */
export interface ControlVector {
  /** A GGUF file with the tensors "direction.1", "direction.2"…, as llama-cvector-generator writes it. */
  readonly path: string;
  /** How much of it is added; negative is the other way. Default 1. */
  readonly scale?: number;
  /** The first and the last layer that it is added to, from 1. Default: all that the file has. */
  readonly layers?: readonly [first: number, last: number];
}

const OPTIONS = optionNames("options.controlVectors", ["path", "scale", "layers"]);
const SCALE_MAX = 1e6;
/** More layers than any model has. */
const LAYERS_MAX = 2 ** 16;

export function readControlVectors(
  given: readonly ControlVector[] | undefined,
  name: string,
): NativeControlVector[] {
  if (given === undefined) return [];
  return list(given, name, "an array of { path, scale, layers }", (value, at) => {
    if (!isPlainObject(value)) {
      throw expected("a plain object { path, scale, layers }", at, value);
    }
    const o = readOptions(value as unknown as ControlVector, at, OPTIONS);
    const { path, scale = 1, layers } = o;
    const [firstLayer, lastLayer] = readLayers(layers, `${at}.layers`);
    return {
      path: resolve(filePath(path, `${at}.path`)),
      scale: number(scale, `${at}.scale`, -SCALE_MAX, SCALE_MAX),
      firstLayer,
      lastLayer,
    };
  });
}

/** 0, 0: all. */
function readLayers(given: ControlVector["layers"], name: string): [number, number] {
  if (given === undefined) return [0, 0];
  const read = list(given, name, "an array of two layers, the first and the last", (layer, at) =>
    integer(layer, at, 1, LAYERS_MAX),
  );
  const [first, last] = read;
  if (read.length !== 2 || first === undefined || last === undefined || first > last) {
    throw expected("two layers, the first and the last", name, given);
  }
  return [first, last];
}
