import { writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { transform } from "esbuild";
import { defineConfig, type Options } from "tsup";

const target = "node20.3"; // as `engines` in package.json

const common: Options = { outDir: "dist", target, silent: true };

/** esbuild splits only ES modules, so they are split first and made CommonJS one by one. */
const commonJs: NonNullable<Options["plugins"]>[number] = {
  name: "commonjs",
  async renderChunk(code, { path }) {
    if (!path.endsWith(".cjs")) return undefined;
    return { code: (await transform(code, { format: "cjs", platform: "node", target })).code };
  },
};

/**
 * The ESM face of the one copy that there is, in CommonJS: whichever way the package is loaded, its
 * classes and its state are the same.
 */
async function writeFace(): Promise<void> {
  const names = Object.keys(createRequire(import.meta.url)("./dist/index.cjs")).sort();
  const exported = names.map((name) => `  ${name},\n`).join("");
  await writeFile(
    "dist/index.js",
    `import cria from "./index.cjs";\n\nexport const {\n${exported}} = cria;\n`,
  );
}

// Side by side in one folder: only the first removes old files, and only its own.
export default defineConfig([
  {
    ...common,
    entry: { index: "lib/index.ts", cli: "lib/cli/main.ts" },
    format: "esm",
    splitting: true,
    outExtension: () => ({ js: ".cjs" }),
    keepNames: true, // else classes show as _Model in stacks
    plugins: [commonJs],
    clean: ["!**/*.d.ts", "!**/*.d.cts"],
    onSuccess: writeFace,
  },
  { ...common, entry: { index: "lib/index.ts" }, format: "esm", dts: { only: true } },
  { ...common, entry: { index: "lib/index.ts" }, format: "cjs", dts: { only: true } },
]);
