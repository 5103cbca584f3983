import { execFileSync } from "node:child_process";
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

/** What is imported, by the names of the files in dist. */
const entry = {
  index: "lib/index.ts",
  "ai-sdk": "lib/ai-sdk/ai-sdk.ts",
  langchain: "lib/langchain/langchain.ts",
  electron: "lib/electron/electron-client.ts",
  "electron-server": "lib/electron/electron-server.ts",
  server: "lib/server/create-server.ts",
};

/**
 * The ESM faces of the one copy that there is, in CommonJS: whichever way the package is loaded, its
 * classes and its state are the same.
 */
async function writeFaces(): Promise<void> {
  for (const file of Object.keys(entry)) {
    const names = Object.keys(createRequire(import.meta.url)(`./dist/${file}.cjs`)).sort();
    const exported = names.map((name) => `  ${name},\n`).join("");
    await writeFile(
      `dist/${file}.js`,
      `import cria from "./${file}.cjs";\n\nexport const {\n${exported}} = cria;\n`,
    );
  }
}

/** Made from the program that was just built, so that it tells what that one has. */
async function writeManual(): Promise<void> {
  await writeFile("dist/cria.1", execFileSync(process.execPath, ["dist/cli.cjs", "man"]));
}

// Side by side in one folder: only the first removes old files, and only its own.
export default defineConfig([
  {
    ...common,
    entry: { ...entry, cli: "lib/cli/main.ts" },
    format: "esm",
    splitting: true,
    outExtension: () => ({ js: ".cjs" }),
    keepNames: true, // else classes show as _Model in stacks
    plugins: [commonJs],
    clean: ["!**/*.d.ts", "!**/*.d.cts", "!page/**"],
    onSuccess: async () => {
      await writeFaces();
      await writeManual();
    },
  },
  // For pages, which have no CommonJS and nothing of Node: a copy of its own, in one file.
  {
    ...common,
    entry: { "electron-page": "lib/electron/electron-client.ts" },
    format: "esm",
    platform: "browser",
    target: "es2022",
    keepNames: true,
    splitting: false,
  },
  // The chat page of the server, with the libraries that it uses, and the files beside it as they are.
  {
    ...common,
    entry: { "chat-page": "lib/page/chat-page.ts" },
    outDir: "dist/page",
    publicDir: "lib/page/public",
    format: "esm",
    platform: "browser",
    target: "es2022",
    noExternal: [/./],
    minify: true,
    splitting: false,
  },
  { ...common, entry, format: "esm", dts: { only: true } },
  { ...common, entry, format: "cjs", dts: { only: true } },
]);
