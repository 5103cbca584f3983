import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

let work: string;

beforeAll(() => {
  work = mkdtempSync(join(tmpdir(), "cria-pe-"));
});
afterAll(() => {
  rmSync(work, { recursive: true, force: true });
});

interface Library {
  readonly exports?: readonly string[];
  readonly imports?: Readonly<Record<string, readonly string[]>>;
  readonly delayed?: Readonly<Record<string, readonly string[]>>;
}

/** Headers and one section, from the format's specification; `check-binary` reads no more of it. */
function library({ exports = [], imports = {}, delayed = {} }: Library): Buffer {
  const base = 0x1000; // where the section is loaded; it lies at 0x200 in the file
  const section = Buffer.alloc(0x1000);
  let used = 0;
  const take = (size: number) => {
    const from = used;
    used += Math.ceil(size / 8) * 8;
    return from;
  };
  const text = (value: string, before = 0) => {
    const from = take(before + value.length + 1);
    section.write(value, from + before, "latin1");
    return base + from;
  };
  const names = (values: readonly string[]) => {
    const from = take(8 * (values.length + 1));
    values.forEach((value, i) => {
      section.writeBigUInt64LE(BigInt(text(value, 2)), from + 8 * i);
    });
    return base + from;
  };
  const table = (
    libraries: Readonly<Record<string, readonly string[]>>,
    at: { size: number; name: number; list: number },
  ) => {
    const entries = Object.entries(libraries);
    if (entries.length === 0) return 0;
    const from = take(at.size * (entries.length + 1));
    entries.forEach(([name, functions], i) => {
      section.writeUInt32LE(text(name), from + at.size * i + at.name);
      section.writeUInt32LE(names(functions), from + at.size * i + at.list);
    });
    return base + from;
  };

  const exported = take(40);
  const list = take(4 * exports.length);
  exports.forEach((name, i) => {
    section.writeUInt32LE(text(name), list + 4 * i);
  });
  section.writeUInt32LE(exports.length, exported + 24);
  section.writeUInt32LE(base + list, exported + 32);

  const headers = Buffer.alloc(0x200);
  headers.write("MZ", 0, "latin1");
  headers.writeUInt32LE(0x40, 0x3c);
  headers.write("PE\0\0", 0x40, "latin1");
  headers.writeUInt16LE(1, 0x46); // sections
  headers.writeUInt16LE(0xf0, 0x54); // size of the optional header
  const optional = 0x58;
  headers.writeUInt16LE(0x20b, optional);
  const directories = { 0: base + exported, 1: table(imports, { size: 20, name: 12, list: 0 }) };
  const late = table(delayed, { size: 32, name: 4, list: 16 });
  for (const [number, address] of Object.entries({ ...directories, 13: late })) {
    headers.writeUInt32LE(address, optional + 112 + 8 * Number(number));
  }
  const row = optional + 0xf0;
  headers.writeUInt32LE(section.length, row + 8);
  headers.writeUInt32LE(base, row + 12);
  headers.writeUInt32LE(section.length, row + 16);
  headers.writeUInt32LE(headers.length, row + 20);
  return Buffer.concat([headers, section]);
}

function check(contents: Library) {
  const file = join(work, "cria.node");
  writeFileSync(file, library(contents));
  const args = ["scripts/check-binary.mjs", file];
  return spawnSync(process.execPath, args, { encoding: "utf8" });
}

const exports = ["napi_register_module_v1", "node_api_module_get_api_version_v1"];
const imports = { "KERNEL32.dll": ["ExitProcess"] };
const delayed = { "NODE.EXE": ["napi_create_object"] };

test("an engine for Windows that fulfils the rules passes", () => {
  const { status, stdout } = check({ exports, imports, delayed });
  expect(stdout).toContain("needs KERNEL32.dll NODE.EXE");
  expect(status).toBe(0);
});

test.each<[string, Library, string]>([
  ["a missing export", { exports: exports.slice(1) }, "does not export napi_register_module_v1"],
  ["one export more", { exports: [...exports, "llama_free"] }, "exports 1 more: llama_free"],
  [
    "an external buffer, imported with a delay",
    { delayed: { "NODE.EXE": ["napi_create_external_buffer"] } },
    "imports napi_create_external_buffer",
  ],
  [
    "a library that Windows has not",
    { imports: { ...imports, "libstdc++-6.dll": ["_Znwm"] } },
    "needs libstdc++-6.dll",
  ],
])("%s fails", (_what, contents, problem) => {
  const { status, stdout } = check({ exports, imports, delayed, ...contents });
  expect(stdout).toContain(problem);
  expect(status).toBe(1);
});

test("what is no library fails", () => {
  const file = join(work, "words.node");
  writeFileSync(file, "words");
  const { status, stdout } = spawnSync(process.execPath, ["scripts/check-binary.mjs", file], {
    encoding: "utf8",
  });
  expect(stdout).toContain("no library at all");
  expect(status).toBe(1);
});
