import { execFileSync, spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

let work: string;

beforeAll(() => {
  work = mkdtempSync(join(tmpdir(), "cria-binary-"));
});

afterAll(() => {
  rmSync(work, { recursive: true, force: true });
});

function check(...files: string[]) {
  return spawnSync(process.execPath, ["scripts/check-binary.mjs", ...files], { encoding: "utf8" });
}

/** A library that is no addon, but has the symbols that the check is about. */
function compile(name: string, code: string, ...flags: string[]): string {
  const source = join(work, `${name}.c`);
  const file = join(work, `${name}.node`);
  writeFileSync(source, `void napi_register_module_v1(void) {}\n${code}\n`);
  const loose = process.platform === "darwin" ? ["-undefined", "dynamic_lookup"] : [];
  const args = ["-shared", "-fPIC", ...loose, source, "-o", file, ...flags];
  execFileSync(process.env.CC ?? "cc", args);
  return file;
}

const version = "int node_api_module_get_api_version_v1(void) { return 8; }";

test("the built engine exports two symbols and needs the C library alone", () => {
  const { status, stdout } = check("build/Release/cria.node");
  expect(stdout).toMatch(/^build.Release.cria\.node: ok, \d+\.\d MB, needs /);
  expect(status).toBe(0);
});

test("what fulfils the rules passes", () => {
  expect(check(compile("good", version))).toMatchObject({ status: 0 });
});

test.each([
  ["a missing export", "", "does not export node_api_module_get_api_version_v1"],
  ["one export more", `${version}\nvoid llama_free(void) {}`, "exports 1 more: llama_free"],
  [
    "an external buffer",
    `${version}
     int napi_create_external_buffer(void);
     static int (*volatile use)(void) = napi_create_external_buffer;`,
    "imports napi_create_external_buffer",
  ],
  [
    "an external array buffer",
    `${version}
     int napi_create_external_arraybuffer(void);
     static int (*volatile use)(void) = napi_create_external_arraybuffer;`,
    "imports napi_create_external_arraybuffer",
  ],
])("%s fails", (name, code, problem) => {
  const { status, stdout } = check(compile(name.replaceAll(" ", "-"), code));
  expect(stdout).toContain("FAULTY");
  expect(stdout).toContain(problem);
  expect(status).toBe(1);
});

// Elsewhere there is no glibc, or one whose loader is still a library of its own.
const glibc = Number(
  (process.report.getReport() as { header: { glibcVersionRuntime?: string } }).header
    .glibcVersionRuntime ?? 0,
);

(glibc >= 2.34 ? describe : describe.skip)("the glibc of what is published", () => {
  const newer = `${version}
     int dlopen(void);
     static int (*volatile use)(void) = dlopen;`;
  const folder = (...names: string[]) => {
    const path = join(work, ...names);
    mkdirSync(path, { recursive: true });
    return path;
  };

  test("has a limit, which this machine's own build need not keep", () => {
    const file = compile("newer", newer);
    expect(check(file)).toMatchObject({ status: 0, stdout: expect.stringContaining("glibc 2.34") });
    const { status, stdout } = check("--release", file);
    expect(stdout).toContain("needs glibc 2.34, and may need 2.28");
    expect(status).toBe(1);
    expect(check("--release", compile("older", version))).toMatchObject({ status: 0 });
  });

  test("is another one for the backends, whose toolchains are newer", () => {
    const path = folder("packages", "cria-vulkan", "prebuilds", "linux-x64");
    copyFileSync(compile("backend", newer), join(path, "node.napi.node"));
    expect(check("--release", join(path, "node.napi.node"))).toMatchObject({ status: 0 });
  });

  test("is what the docs say", () => {
    const said = (file: string) => /glibc (\d+\.\d+)/.exec(readFileSync(file, "utf8"))?.[1];
    const script = readFileSync("scripts/check-binary.mjs", "utf8");
    expect(script).toContain(`backend: "${said("packages/cria-vulkan/README.md")}"`);
    expect(script).toContain(`backend: "${said("packages/cria-cuda/README.md")}"`);
    const own = /Linux need glibc (\d+\.\d+)/.exec(readFileSync("docs/install.md", "utf8"))?.[1];
    expect(script).toContain(`own: "${own}"`);
  });
});

test("another library fails", () => {
  const other = compile("libother", "int other(void) { return 1; }");
  const needy = `${version}\nint other(void);\nint (*volatile use)(void) = other;`;
  const file = compile("needy", needy, other);
  const { status, stdout } = check(file);
  expect(stdout).toMatch(/needs .*libother\.node/);
  expect(status).toBe(1);
});
