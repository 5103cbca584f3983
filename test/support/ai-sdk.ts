import { createRequire } from "node:module";
import * as six from "ai6";
import type * as seven from "ai7";
import { buildSync } from "esbuild";

/** AI SDK 7 is ES modules alone, which jest cannot require: it is bundled first. */
function bundled(name: string): typeof seven {
  const { outputFiles } = buildSync({
    stdin: { contents: `export * from ${JSON.stringify(name)}`, resolveDir: __dirname },
    ...{ bundle: true, write: false, platform: "node", format: "cjs", logLevel: "error" },
  });
  const module = { exports: {} as typeof seven };
  const run = new Function("module", "exports", "require", outputFiles[0]?.text ?? "");
  run(module, module.exports, createRequire(__filename));
  return module.exports;
}

/** The warnings are in the results; on the console nobody reads them. */
Object.assign(globalThis, { AI_SDK_LOG_WARNINGS: false });

/**
 * Both generations by the types of the older one: what the tests call is the same in both, and their real types are
 * compared in ai-sdk-types.test.ts.
 */
export const GENERATIONS: readonly (readonly [name: string, ai: typeof six])[] = [
  ["AI SDK 6", six],
  ["AI SDK 7", bundled("ai7") as unknown as typeof six],
];
