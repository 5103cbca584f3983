import { existsSync } from "node:fs";
import {
  copyFile,
  cp,
  mkdir,
  mkdtemp,
  readFile,
  realpath,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { engineInfo } from "../../lib/index.js";
import { adviceOn } from "../../lib/internal/engine-failure.js";
import { PACKAGED_FOR, packageRoot } from "../../lib/internal/engine-files.js";
import { loadEngine } from "../../lib/internal/engine-loader.js";
import { type ChildOptions, runNode } from "../support/child.js";
import { DIST, ROOT } from "../support/paths.js";

const target = `${process.platform}-${process.arch}`;
const plain = process.arch === "arm64" ? "napi.armv8.node" : "napi.node";
const binary = engineInfo().path;

let directory: string;
/** An installed copy of the package without an engine. */
let installed: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "cria-engine-"));
  installed = await install(join(directory, "node_modules", "cria"));
});
afterEach(() => rm(directory, { recursive: true }));

async function install(to: string): Promise<string> {
  await mkdir(to, { recursive: true });
  await cp(DIST, join(to, "dist"), { recursive: true });
  await copyFile(join(ROOT, "package.json"), join(to, "package.json"));
  for (const name of ["node-gyp-build", "@eslint-community/regexpp"]) {
    await mkdir(join(to, "node_modules", name, ".."), { recursive: true });
    await symlink(join(ROOT, "node_modules", name), join(to, "node_modules", name), "dir");
  }
  return to;
}

async function place(...parts: string[]): Promise<string> {
  const path = join(installed, ...parts);
  await mkdir(join(path, ".."), { recursive: true });
  await copyFile(binary, path);
  return path;
}

/** What a fresh process makes of the installed copy, in the given module format. */
async function load(format: "esm" | "cjs" = "esm", options: ChildOptions = {}) {
  const print = "console.log(JSON.stringify(cria.engineInfo()))";
  const report =
    "(error) => console.log(JSON.stringify({ code: error.code, message: error.message }))";
  const script =
    format === "esm"
      ? `import * as cria from "cria"; try { ${print} } catch (error) { (${report})(error) }`
      : `const cria = require("cria"); try { ${print} } catch (error) { (${report})(error) }`;
  const path = join(directory, format === "esm" ? "main.mjs" : "main.cjs");
  await writeFile(path, script);
  const { stdout, ...end } = await runNode([path], options);
  expect(end).toEqual({ code: 0, signal: null, stderr: "" });
  return JSON.parse(stdout) as {
    path?: string;
    backend?: string;
    skipped?: unknown[];
    code?: string;
    message: string;
  };
}

describe("a __filename of the app's", () => {
  const print = "(cria) => console.log(cria.engineInfo().path)";

  // `node -e` sets one itself.
  test.each([
    ["node -e", `import("cria").then(${print})`],
    ["an app", `globalThis.__filename = "/x/y.js"; import("cria").then(${print})`],
    ["CommonJS", `globalThis.__filename = "/x/y.js"; (${print})(require("cria"))`],
  ])("does not lead the engine's search astray: %s", async (_, script) => {
    const built = await place("build", "Release", "cria.node");
    const { stdout, ...end } = await runNode(["-e", script], { cwd: directory });
    expect(end).toEqual({ code: 0, signal: null, stderr: "" });
    expect(stdout).toBe(`${built}\n`);
  });

  test("nor does a bundle's place: the package beside it has the engine", async () => {
    await place("build", "Release", "cria.node");
    const file = join(directory, "app", "out", "bundle.js");
    expect(packageRoot(file)).toBe(await realpath(installed));
    expect(packageRoot(join(installed, "dist", "index.js"))).toBe(installed);
  });
});

describe.each(["esm", "cjs"] as const)("from %s", (format) => {
  test("a local build comes first, then the prebuild", async () => {
    const prebuild = await place("prebuilds", target, `node.${plain}`);
    expect(await load(format)).toMatchObject({ path: prebuild, backend: "cpu" });
    const local = await place("build", "Release", "cria.node");
    expect(await load(format)).toMatchObject({ path: local });
  });

  test("importing never fails; the first use says which commands help", async () => {
    const { code, message } = await load(format);
    expect(code).toBe("ERR_ENGINE_NOT_FOUND");
    expect(message).toContain(target);
    expect(message).toContain("npm rebuild cria");
    expect(message).toContain("npm install-scripts approve cria && npm rebuild cria");
  });
});

describe("a package of a backend", () => {
  async function backendPackage(
    version: string,
    name = "cria-vulkan",
    beside = directory,
  ): Promise<string> {
    const folder = join(beside, "node_modules", name);
    await mkdir(folder, { recursive: true });
    await writeFile(
      join(folder, "package.json"),
      JSON.stringify({
        name,
        version,
        exports: { "./package.json": "./package.json" },
      }),
    );
    return folder;
  }

  async function ownVersion(): Promise<string> {
    return JSON.parse(await readFile(join(ROOT, "package.json"), "utf8")).version;
  }

  async function backendEngine(name: string, beside?: string): Promise<string> {
    const folder = await backendPackage(await ownVersion(), name, beside);
    const file = join(folder, "prebuilds", target, `node.${plain}`);
    await mkdir(join(file, ".."), { recursive: true });
    return file;
  }

  test("is tried before cria's own engine; what cannot be loaded, or has no GPU, gives way", async () => {
    const cpu = await place("prebuilds", target, `node.${plain}`);
    const cuda = await backendEngine("cria-cuda");
    await writeFile(cuda, "needs a driver");
    const vulkan = await backendEngine("cria-vulkan");
    await copyFile(binary, vulkan);
    const { path, skipped } = loadEngine(installed, {});
    expect(path).toBe(cpu);
    expect(skipped).toEqual([
      { path: cuda, problem: expect.stringMatching(/invalid|header|too short/i) },
      { path: vulkan, problem: "found no GPU that cpu can use" },
    ]);
    expect(loadEngine(installed, { CRIA_BACKEND: "cpu" })).toMatchObject({
      path: cpu,
      skipped: [],
    });
  });

  test("is not looked for in the working directory, which may be anybody's", async () => {
    const own = await place("prebuilds", target, `node.${plain}`);
    const elsewhere = join(directory, "elsewhere");
    const planted = await backendEngine("cria-vulkan", elsewhere);
    await copyFile(binary, planted);
    const here = await load("esm", { cwd: elsewhere });
    expect(here).toMatchObject({ path: own, skipped: [] });
    const env = { CRIA_BACKEND: "cpu" };
    expect(await load("cjs", { cwd: elsewhere, env })).toMatchObject({ path: own, skipped: [] });
  });

  test("is found by the program's file where it does not lie beside cria", async () => {
    const app = join(directory, "app");
    const package_ = await backendPackage("0.0.1", "cria-vulkan", app);
    const own = await place("prebuilds", target, `node.${plain}`);
    const program = join(app, "main.cjs");
    const print = "console.log(JSON.stringify(require('cria').engineInfo()))";
    await writeFile(program, print);
    const { stdout } = await runNode([program], { cwd: installed });
    expect(JSON.parse(stdout)).toMatchObject({ path: own, skipped: [{ path: package_ }] });
  });

  test("is told of where an engine that was built here goes first", async () => {
    const built = await place("build", "Release", "cria.node");
    const vulkan = await backendEngine("cria-vulkan");
    await copyFile(binary, vulkan);
    const { path, skipped } = loadEngine(installed, {});
    expect(path).toBe(built);
    expect(skipped).toEqual([
      { path: vulkan, problem: expect.stringMatching(/^was not tried.* CRIA_BACKEND=vulkan/) },
    ]);
  });

  test("that is missing is named, with the command that installs it", async () => {
    await place("prebuilds", target, `node.${plain}`);
    const version = await ownVersion();
    for (const backend of ["cuda", "vulkan"]) {
      const refused = () => loadEngine(installed, { CRIA_BACKEND: backend });
      expect(refused).toThrow(expect.objectContaining({ code: "ERR_ENGINE_NOT_FOUND" }));
      expect(refused).toThrow(
        PACKAGED_FOR.includes(target)
          ? `cria-${backend}: is not installed: npm install cria-${backend}@${version}`
          : `cria-${backend}: is not installed, and not built for ${target}`,
      );
      expect(refused).toThrow(`npm run build:native -- --${backend}`);
      expect(refused).toThrow("unset CRIA_BACKEND");
      expect(refused).not.toThrow("npm rebuild cria");
    }
  });

  test("of another version is not loaded; the right one is named", async () => {
    await place("prebuilds", target, `node.${plain}`);
    const folder = await backendPackage("0.0.1");
    const { skipped } = loadEngine(installed, {});
    const version = await ownVersion();
    const problem = `is of version 0.0.1, cria of ${version}: npm install cria-vulkan@${version}`;
    expect(skipped).toEqual([{ path: folder, problem }]);
  });

  test("without an engine for this system is named", async () => {
    const folder = await backendPackage(await ownVersion());
    await place("build", "Release", "cria.node");
    expect(() => loadEngine(installed, { CRIA_BACKEND: "vulkan" })).toThrow(
      expect.objectContaining({
        code: "ERR_ENGINE_NOT_FOUND",
        message: expect.stringContaining(`${folder}: has no engine for ${target}`),
      }),
    );
  });
});

describe("what the system says is explained", () => {
  test.each([
    ["libcuda.so.1: cannot open shared object file", /NVIDIA's driver/],
    ["libcublas.so.12: cannot open shared object file", /CUDA 12's libraries/],
    ["libvulkan.so.1: cannot open shared object file", /Vulkan's loader/],
    ["/lib/libm.so.6: version `GLIBC_2.35' not found", /older than the prebuilds/],
    ["libc.musl-x86_64.so.1: cannot open shared object file", /another C library/],
    ["cria.node: invalid ELF header", /another system or processor/],
    ["cria.node is not a valid Win32 application.", /another system or processor/],
  ])("%s", (problem, advice) => {
    expect(adviceOn({ path: "cria.node", problem })).toMatch(advice);
  });

  test("what nobody foresaw stands for itself", () => {
    expect(adviceOn({ path: "cria.node", problem: "out of luck" })).toBeUndefined();
  });
});

describe("without an engine", () => {
  const messageOf = (root: string) => {
    try {
      loadEngine(root, {});
    } catch (error) {
      return (error as Error).message;
    }
    throw new Error("An engine was found.");
  };

  test("in a bundle, it says to leave the package out", () => {
    expect(messageOf(join(directory, "app", "out"))).toMatch(/was bundled.*external/s);
  });

  test("in an asar archive, it says how to unpack", async () => {
    const inside = join(directory, "app.asar", "node_modules", "cria");
    await install(inside);
    expect(messageOf(inside)).toMatch(/asarUnpack.*auto-unpack-natives/s);
  });

  test("with prebuilds of others, it names them", async () => {
    await place("prebuilds", "amiga-m68k", "node.napi.node");
    expect(messageOf(installed)).toContain("The package has prebuilds for amiga-m68k.");
  });
});

test("CRIA_BACKEND takes one backend only", async () => {
  const cpu = await place("prebuilds", target, `node.${plain}`);
  expect(await load("esm", { env: { CRIA_BACKEND: "cpu" } })).toMatchObject({ path: cpu });
  for (const backend of ["cuda", "metal"]) {
    const { code, message } = await load("esm", { env: { CRIA_BACKEND: backend } });
    expect(code).toBe("ERR_ENGINE_NOT_FOUND");
    expect(message).toContain(`is of the backend cpu, CRIA_BACKEND asks for ${backend}`);
  }
  const wrong = await load("esm", { env: { CRIA_BACKEND: "gpu" } });
  expect(wrong).toMatchObject({ code: "ERR_INVALID_ARGUMENT" });
  expect(wrong.message).toContain("CRIA_BACKEND");
  await place("build", "Release", "cria.node");
  const local = await load("esm", { env: { CRIA_BACKEND: "cuda" } });
  expect(local.message).toMatch(/build.Release.*is of the backend cpu, CRIA_BACKEND asks for cuda/);
});

test("what is no engine of cria is told as that", async () => {
  await place("build", "Release", "cria.node");
  const path = join(directory, "other.json");
  for (const other of ["{}", "null", "5"]) {
    await writeFile(path, other);
    const { code, message } = await load("cjs", { env: { CRIA_BINARY: path } });
    expect(code).toBe("ERR_ENGINE_NOT_FOUND");
    expect(message).toContain(`${path}: is no engine of cria`);
  }
});

test("a bundle without a name of its own is not looked for by the working directory", async () => {
  const elsewhere = join(directory, "elsewhere", "inside");
  await mkdir(elsewhere, { recursive: true });
  await writeFile(join(elsewhere, "..", "package.json"), '{ "name": "cria" }');
  const before = process.cwd();
  process.chdir(elsewhere);
  try {
    expect(packageRoot("")).not.toContain("elsewhere");
  } finally {
    process.chdir(before);
  }
});

test("CRIA_BINARY names the file", async () => {
  const path = join(directory, "other.node");
  await copyFile(binary, path);
  await place("build", "Release", "cria.node");
  expect(await load("cjs", { env: { CRIA_BINARY: path } })).toMatchObject({ path });
  const missing = await load("cjs", { env: { CRIA_BINARY: `${path}.missing` } });
  expect(missing.code).toBe("ERR_ENGINE_NOT_FOUND");
  expect(missing.message).toContain("CRIA_BINARY is set");
});

test("a broken build is named with the loader's own words", async () => {
  const path = await place("build", "Release", "cria.node");
  await writeFile(path, "this is no library");
  const { code, message } = await load();
  expect(code).toBe("ERR_ENGINE_NOT_FOUND");
  expect(message).toContain(path);
  expect(message).toMatch(/invalid|header|too short/i);
});

test("out of an asar archive, the engine beside it is loaded", async () => {
  const inside = join(directory, "app.asar", "node_modules", "cria");
  const outside = join(directory, "app.asar.unpacked", "node_modules", "cria");
  await install(inside);
  const release = join("build", "Release");
  for (const root of [inside, outside]) {
    await mkdir(join(root, release), { recursive: true });
    await copyFile(binary, join(root, release, "cria.node"));
  }
  expect(loadEngine(inside, {}).path).toBe(join(outside, release, "cria.node"));
  await rm(outside, { recursive: true });
  expect(loadEngine(inside, {}).path).toBe(join(inside, release, "cria.node"));
});

test("a failure is not remembered", async () => {
  expect(() => loadEngine(installed, {})).toThrow(
    expect.objectContaining({ code: "ERR_ENGINE_NOT_FOUND" }),
  );
  await place("build", "Release", "cria.node");
  expect(existsSync(loadEngine(installed, {}).path)).toBe(true);
});

describe("CRIA_CPU_LEVEL", () => {
  test("that does not exist is refused, not passed over", async () => {
    await place("build", "Release", "cria.node");
    const { code, message } = await load("esm", { env: { CRIA_CPU_LEVEL: "avx4096" } });
    expect(code).toBe("ERR_INVALID_ARGUMENT");
    expect(message).toMatch(/one of .*native.* for CRIA_CPU_LEVEL .*got avx4096/);
  });
});
