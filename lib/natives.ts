import { disposedError, expected } from "./errors.js";
import type { Model } from "./model.js";
import type { NativeModel } from "./native.js";

const REGISTRY = Symbol.for("cria.natives");

/** One in the process, since a model may come from the other copy of this package (ESM, CommonJS). */
const natives: WeakMap<object, NativeModel> = registry();

function registry(): WeakMap<object, NativeModel> {
  const known: unknown = Reflect.get(globalThis, REGISTRY);
  if (known !== undefined) return known as WeakMap<object, NativeModel>;
  const made = new WeakMap<object, NativeModel>();
  Object.defineProperty(globalThis, REGISTRY, { value: made });
  return made;
}

/** For the model's constructor. */
export function registerNative(model: Model, native: NativeModel): void {
  natives.set(model, native);
}

/**
 * The addon's handle of a model, for the rooms that need more of it than users do.
 *
 * @throws {CriaError} ERR_INVALID_ARGUMENT, ERR_DISPOSED
 */
export function nativeOf(model: Model): NativeModel {
  const native = natives.get(model);
  if (native === undefined) throw expected("a Model that cria has loaded", "model", model);
  if (model.disposed) throw disposedError("The model");
  return native;
}
