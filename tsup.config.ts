import { defineConfig, type Options } from "tsup";

const common: Options = {
  outDir: "dist",
  target: "node20.3", // as `engines` in package.json
  silent: true,
  keepNames: true, // else classes show as _Model in stacks
  // lib/engine.ts asks for import.meta.url, and takes __filename where there is none.
  esbuildOptions: (options) => {
    options.logOverride = { "empty-import-meta": "silent" };
  },
};

// Side by side in one folder: only the first removes old files, and only its own.
export default defineConfig([
  {
    ...common,
    entry: { index: "lib/index.ts", cli: "lib/cli/main.ts" },
    format: "esm",
    splitting: true,
    clean: ["!**/*.cjs", "!**/*.d.ts", "!**/*.d.cts"],
  },
  { ...common, entry: { index: "lib/index.ts" }, format: "esm", dts: { only: true } },
  { ...common, entry: { index: "lib/index.ts" }, format: "cjs", dts: true },
]);
