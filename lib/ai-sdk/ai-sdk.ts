export type { AnyContext } from "../electron/any-context.js";
export { type CriaOptions, type CriaProvider, createCria } from "./create-cria.js";
export type { CriaSettings } from "./cria-settings.js";
export {
  type GuardMiddleware,
  type GuardMiddlewareOptions,
  guardMiddleware,
} from "./guard-middleware.js";
export type * from "./specification.js";
