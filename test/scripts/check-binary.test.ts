import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
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

test("another library fails", () => {
  const other = compile("libother", "int other(void) { return 1; }");
  const needy = `${version}\nint other(void);\nint (*volatile use)(void) = other;`;
  const file = compile("needy", needy, other);
  const { status, stdout } = check(file);
  expect(stdout).toMatch(/needs .*libother\.node/);
  expect(status).toBe(1);
});
