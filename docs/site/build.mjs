// The documentation as a site: npm run docs:build, npm run docs:dev (from the root of the repository).
// Its tools are a package of their own, so that who only builds cria does not fetch 150 MB of them: they are
// installed here, by the lockfile beside this, when they are missing or another lockfile came.

import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const HERE = dirname(fileURLToPath(import.meta.url));
const ROOT = join(HERE, "..", "..");

function installTools() {
  const lock = join(HERE, "package-lock.json");
  const installed = join(HERE, "node_modules", ".cria-docs-lock.json");
  if (existsSync(installed) && readFileSync(installed, "utf8") === readFileSync(lock, "utf8"))
    return;
  console.log("Installing the site's tools (docs/site/package-lock.json) …");
  const { status } = spawnSync("npm", ["ci", "--no-audit", "--no-fund"], {
    cwd: HERE,
    stdio: "inherit",
    shell: process.platform === "win32", // npm is a script there
  });
  if (status !== 0) process.exit(status ?? 1);
  copyFileSync(lock, installed);
}

/** What is imported, by the files that it is made of. */
const MODULES = {
  index: "cria",
  "server/create-server": "cria/server",
  "ai-sdk/ai-sdk": "cria/ai-sdk",
  "langchain/langchain": "cria/langchain",
  "electron/electron-client": "cria/electron",
  "electron/electron-server": "cria/electron/server",
};

/** docs/reference: a page for everything that is exported, by its docstring. */
async function writeReference() {
  const { Application } = await import("typedoc");
  const app = await Application.bootstrapWithPlugins({
    entryPoints: Object.keys(MODULES).map((file) => join(ROOT, "lib", `${file}.ts`)),
    tsconfig: join(ROOT, "tsconfig.json"),
    plugin: ["typedoc-plugin-markdown", "typedoc-vitepress-theme"],
    router: "kind",
    out: join(ROOT, "docs", "reference"),
    docsRoot: join(ROOT, "docs"),
    name: "Reference",
    sortEntryPoints: false,
    navigation: { includeFolders: false },
    readme: "none",
    disableSources: true,
    excludeInternal: true,
    excludePrivate: true,
    excludeExternals: true,
    hideBreadcrumbs: true,
    hidePageHeader: true,
    useCodeBlocks: true,
    sanitizeComments: true,
    parametersFormat: "table",
    interfacePropertiesFormat: "table",
    typeDeclarationFormat: "table",
    enumMembersFormat: "table",
    tableColumnSettings: { hideModifiers: true, hideInherited: true },
    logLevel: "Error",
  });
  const project = await app.convert();
  if (project === undefined) throw new Error("TypeDoc could not read lib/: see above");
  for (const module of project.children) module.name = MODULES[module.name];
  await app.generateOutputs(project);
  if (app.logger.hasErrors()) throw new Error("TypeDoc could not write docs/reference: see above");
}

installTools();
await writeReference();
const { build, createServer } = await import("vitepress");
if (process.argv.includes("--dev")) {
  const server = await createServer(HERE);
  await server.listen();
  server.printUrls();
} else {
  await build(HERE);
  console.log("The site is in .build/docs");
}
