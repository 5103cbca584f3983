// For `node --import`: contexts of both copies of the package compute on one thread unless told otherwise,
// since threads that wait for each other crawl where other tests run beside them.
import { createRequire } from "node:module";
import { Model } from "cria";

for (const { prototype } of [Model, createRequire(import.meta.url)("cria").Model]) {
  const { createContext } = prototype;
  prototype.createContext = function (options) {
    return createContext.call(this, { threads: 1, ...options });
  };
}
