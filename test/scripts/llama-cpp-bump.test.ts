// What another llama.cpp changes, on trees of a few lines: read, compared, told, and carried by a registry of our own.
import { execFile, execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { llamaCppDir } from "../support/llama-cpp-dir.js";

const run = promisify(execFile);
const script = (name: string) => JSON.stringify(pathToFileURL(resolve("scripts", name)).href);

let work: string;
beforeAll(() => {
  work = mkdtempSync(join(tmpdir(), "cria-bump-"));
});
afterAll(() => rmSync(work, { recursive: true, force: true }));

/** The value of an expression in a Node of its own, since jest cannot import the scripts. */
async function evaluated(imports: string, expression: string): Promise<unknown> {
  const program = `import { ${imports.split(" of ")[0]} } from ${script(imports.split(" of ")[1] as string)};
    console.log(JSON.stringify((await ${expression}) ?? null));`;
  const args = ["--input-type=module", "--eval", program];
  return JSON.parse((await run(process.execPath, args)).stdout);
}

function write(folder: string, files: Record<string, string>): string {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return folder;
}

describe("a header's declarations", () => {
  const declarationsOf = (source: string) =>
    evaluated("declarationsOf of c-declarations.mjs", `declarationsOf(${JSON.stringify(source)})`);

  test("of C, with what stands around them in llama.h", async () => {
    const source = `
      #ifndef LLAMA_H // a guard
      #define LLAMA_H
      #define LLAMA_MAX 4 /* of "them" */
      #define LLAMA_TWO(a, b) \\
          ((a) + (b))
      #ifdef __cplusplus
      extern "C" {
      #endif
      struct llama_vocab; // opaque
      typedef int32_t llama_token;
      typedef bool (*llama_callback)(float progress, void * data);
      enum llama_kind {
          LLAMA_KIND_NONE = -1,
          LLAMA_KIND_ONE, // 0; not {1}
          LLAMA_KIND_BIT  = 1 << 3,
          LLAMA_KIND_HEX  = 0x10,
          LLAMA_KIND_SUM  = LLAMA_KIND_HEX | 1,
          LLAMA_KIND_LAST,
      };
      typedef struct llama_params {
          int32_t n_ctx;      // "text; with { braces"
          float   scale[2];
          void (*done)(void * data);
          const char * name;
      } llama_params;
      LLAMA_API struct llama_model *   llama_load(
              const char * path,
              struct llama_params params);
      DEPRECATED(LLAMA_API int llama_old(void), "use llama_new (or, not)");
      static inline int llama_twice(int a) { return 2 * a; }
      extern const char * llama_name;
      #ifdef __cplusplus
      }
      #endif
      #endif`;
    expect(await declarationsOf(source)).toEqual([
      { kind: "macro", name: "LLAMA_MAX", text: "LLAMA_MAX 4" },
      { kind: "macro", name: "LLAMA_TWO", text: "LLAMA_TWO(a, b) ((a) + (b))" },
      { kind: "type", name: "llama_token", text: "typedef int32_t llama_token" },
      {
        kind: "type",
        name: "llama_callback",
        text: "typedef bool(*llama_callback)(float progress, void *data)",
      },
      {
        kind: "enum",
        name: "llama_kind",
        text: "enum llama_kind",
        members: [
          { name: "LLAMA_KIND_NONE", text: "LLAMA_KIND_NONE = -1" },
          { name: "LLAMA_KIND_ONE", text: "LLAMA_KIND_ONE = 0" },
          { name: "LLAMA_KIND_BIT", text: "LLAMA_KIND_BIT = 8" },
          { name: "LLAMA_KIND_HEX", text: "LLAMA_KIND_HEX = 16" },
          { name: "LLAMA_KIND_SUM", text: "LLAMA_KIND_SUM = LLAMA_KIND_HEX | 1" },
          { name: "LLAMA_KIND_LAST", text: "LLAMA_KIND_LAST = LLAMA_KIND_HEX | 1 + 1" },
        ],
      },
      {
        kind: "struct",
        name: "llama_params",
        text: "struct llama_params",
        members: [
          { name: "n_ctx", text: "int32_t n_ctx" },
          { name: "scale", text: "float scale[2]" },
          { name: "done", text: "void(*done)(void *data)" },
          { name: "name", text: "const char *name" },
        ],
      },
      {
        kind: "function",
        name: "llama_load",
        text: "struct llama_model *llama_load(const char *path, struct llama_params params)",
      },
      { kind: "function", name: "llama_old", text: "deprecated: int llama_old(void)" },
      {
        kind: "function",
        name: "llama_twice",
        text: "static inline int llama_twice(int a)",
        body: "return 2 *a;",
      },
      { kind: "variable", name: "llama_name", text: "extern const char *llama_name" },
    ]);
  });

  test("of C++, as common/ has them", async () => {
    const source = `
      namespace jinja { namespace inner {
      using list = std::vector<std::string>;
      struct value : base {
          int at = 3;
          std::map<std::string, int> all{};
          explicit value(int at) : at(at) { if (at) { throw 1; } }
          [[noreturn]] virtual void fail(const std::string & why = "") const;
          bool operator==(const value & other) const { return at == other.at; }
      private:
          list own;
      };
      template <typename T> T made(T && from) { return from; }
      bool made(int from);
      }}
      const int limit = 7;`;
    const found = (await declarationsOf(source)) as {
      name: string;
      members?: { name: string }[];
    }[];
    expect(found.map(({ name }) => name)).toEqual([
      ...["jinja::inner::list", "jinja::inner::value", "jinja::inner::made", "jinja::inner::made"],
      "limit",
    ]);
    expect(found[1]?.members).toEqual([
      { name: "at", text: "int at = 3" },
      { name: "all", text: "std::map < std::string, int > all { }" },
      {
        name: "value",
        text: "explicit value(int at) : at(at)",
        body: "{ if(at) { throw 1; } }",
      },
      {
        name: "fail",
        text: '[[noreturn]] virtual void fail(const std::string &why = "") const',
      },
      {
        name: "operator==",
        text: "bool operator == (const value &other) const",
        body: "{ return at == other . at; }",
      },
      { name: "own", text: "list own" },
    ]);
  });
});

/** A checkout with a llama.cpp, and another llama.cpp. */
const OWN = {
  "native/core/model.cpp":
    '#include <llama.h>\n#include <chat.h>\n// llama_gone_unused() in a comment\nint main() { llama_load("x", 1); llama_gone(); p.n_ctx = LLAMA_KIND_TWO; }\n',
  "native/llama-h-left-out.json": '{"nobody needs it": ["llama_left_out", "llama_gone_left_out"]}',
  "cmake/options.cmake": "set(GGML_OURS ON)\n",
  "CMakeLists.txt": "",
};
const OLD = {
  "include/llama.h": `#include "ggml.h"
    enum llama_kind { LLAMA_KIND_ONE, LLAMA_KIND_TWO };
    enum llama_other { LLAMA_OTHER_ONE, LLAMA_OTHER_TWO };
    struct llama_params { int n_ctx; int n_batch; };
    LLAMA_API void llama_load(const char * path, int count);
    LLAMA_API void llama_gone(void);
    LLAMA_API void llama_gone_unused(void);
    LLAMA_API void llama_left_out(int a);
    LLAMA_API void llama_gone_left_out(void);
    LLAMA_API void llama_same(int a);
    struct llama_params llama_default_params(void);`,
  "ggml/include/ggml.h": "#define GGML_MAX 4\nint ggml_init(void);\n",
  "ggml/include/ggml-unseen.h": "int ggml_unseen(void);\n",
  "common/chat.h": "struct common_chat { int a; int b; };\n",
  "models/templates/a.jinja": "a",
  "models/templates/b.jinja": "b",
  "models/ggml-vocab-x.gguf": "x",
  "models/other.txt": "1",
  "grammars/json.gbnf": "root ::= [a]",
  "ggml/src/ggml-cpu/ggml-cpu.c": "one\ntwo\n",
  "CMakeLists.txt": 'option(LLAMA_A "a" ON)\n',
  "ggml/CMakeLists.txt": 'option(GGML_OURS "ours" OFF)\n',
  "ggml/src/ggml-cuda/x.cu": "",
  "licenses/LICENSE-a": "a",
  LICENSE: "MIT",
};
const NEW = {
  ...OLD,
  "include/llama.h": `#include "ggml.h"
    enum llama_kind { LLAMA_KIND_ZERO, LLAMA_KIND_ONE, LLAMA_KIND_TWO };
    enum llama_other { LLAMA_OTHER_ONE, LLAMA_OTHER_NEW, LLAMA_OTHER_TWO };
    struct llama_params { int n_batch; int n_ctx; };
    /* of a file */ LLAMA_API void llama_load(const char * path, size_t count);
    LLAMA_API void   llama_same( int a ); // another comment
    LLAMA_API void llama_left_out(int a, int b);
    LLAMA_API void llama_new(void);
    struct llama_params llama_default_params(void);`,
  "ggml/include/ggml.h": "#define GGML_MAX 8\nint ggml_init(void);\n",
  "ggml/include/ggml-unseen.h": "int ggml_unseen(int);\n",
  "models/templates/a.jinja": "changed",
  "models/templates/c.jinja": "c",
  "models/other.txt": "2",
  "ggml/src/ggml-cpu/ggml-cpu.c": "one\nthree\nfour\n",
  "CMakeLists.txt": 'option(LLAMA_A "a" OFF)\n',
  "ggml/CMakeLists.txt": 'option(GGML_NEW "new")\n',
  "ggml/src/ggml-tpu/x.c": "",
  LICENSE: "MIT, 2027",
};
const { "models/templates/b.jinja": _, "common/chat.h": __, ...AFTER } = NEW;

const report = (before: string, after: string) =>
  evaluated(
    "bumpReport of bump-report.mjs",
    `bumpReport(${JSON.stringify({ root: join(work, "own"), before, after })})`,
  ) as Promise<{ lines: string[]; tasks: string[]; changed: boolean }>;

describe("the report", () => {
  let before: string;
  let after: string;
  beforeAll(() => {
    write(join(work, "own"), OWN);
    before = write(join(work, "before"), OLD);
    after = write(join(work, "after"), AFTER);
  });

  test("of the same tree: nothing changed", async () => {
    expect(await report(before, before)).toEqual({
      lines: ["nothing changed"],
      tasks: [],
      changed: false,
    });
  });

  test("nor does a comment, white space, or a header that native/ does not reach", async () => {
    const changed = {
      "include/llama.h": `${OLD["include/llama.h"].replace("(int a)", "(\n  int a )")}\n// more\n`,
      "ggml/include/ggml-unseen.h": "",
    };
    const other = write(join(work, "commented"), { ...OLD, ...changed });
    expect(await report(before, other)).toMatchObject({ lines: ["nothing changed"] });
  });

  test("names what came, went and changed, and who has to do something about it", async () => {
    const { lines, tasks } = await report(before, after);
    expect(tasks).toEqual([
      "<chat.h> is gone: native/ includes it",
      "llama_gone is gone and used",
      "llama_gone_left_out is gone: take it out of native/llama-h-left-out.json",
      "llama_kind changed and is used: look at it",
      "llama_load changed and is used: look at it",
      "llama_new is new: bind it, or give the reason in native/llama-h-left-out.json",
      "the option GGML_OURS is gone: our CMake files name it",
    ]);
    expect(lines).toEqual([
      "## Headers that native/ reaches",
      "- <chat.h> is not there any more",
      "### common/chat.h",
      "- not used, removed: common_chat",
      "### ggml/include/ggml.h",
      "- not used, changed: GGML_MAX",
      "### include/llama.h",
      "- function llama_gone: removed (used in native/core/model.cpp)",
      "- enum llama_kind: changed (used in native/core/model.cpp)",
      "    LLAMA_KIND_ONE: was LLAMA_KIND_ONE = 0, is LLAMA_KIND_ONE = 1",
      "    LLAMA_KIND_TWO: was LLAMA_KIND_TWO = 1, is LLAMA_KIND_TWO = 2",
      "    added: LLAMA_KIND_ZERO = 0",
      "- function llama_load: changed (used in native/core/model.cpp)",
      "    was void llama_load(const char *path, int count)",
      "    is  void llama_load(const char *path, size_t count)",
      "- function llama_new: added (not used)",
      "    void llama_new(void)",
      "- function llama_gone_left_out: removed (left out: nobody needs it)",
      "- function llama_gone_unused: removed (not used)",
      "- function llama_left_out: changed (left out: nobody needs it)",
      "    was void llama_left_out(int a)",
      "    is  void llama_left_out(int a, int b)",
      "- enum llama_other: changed (not used)",
      "    LLAMA_OTHER_TWO: was LLAMA_OTHER_TWO = 1, is LLAMA_OTHER_TWO = 2",
      "    added: LLAMA_OTHER_NEW = 1",
      "- struct llama_params: changed (not used)",
      "    its members have another order",
      "",
      "## Data of the tests",
      "- models/templates, added: c.jinja",
      "- models/templates, removed: b.jinja",
      "- models/templates, changed: a.jinja",
      expect.stringMatching(/^ {4}read by test\/chat\/formats/),
      "",
      "## Sources we count on",
      expect.stringMatching(
        /^ggml\/src\/ggml-cpu\/ggml-cpu\.c: \+2 -1 lines \(native\/core\/model\/ggml_hooks/,
      ),
      "",
      "## Options of the build",
      "- GGML_NEW is new",
      "- GGML_OURS is gone",
      "- LLAMA_A was ON, is OFF",
      "",
      "## What is shipped",
      expect.stringMatching(/^- ggml\/src\/ggml-tpu is new: "shipped" in scripts\/llama-cpp\.json/),
      "- LICENSE changed: THIRD-PARTY-LICENSES.md",
      "",
      "## To do",
      ...tasks.map((task) => `- ${task}`),
    ]);
  });

  test("tells what moved, and what does something else with the same signature", async () => {
    const inside = {
      "ggml/include/ggml.h": '#include "ggml-more.h"\n#define GGML_MAX 4\n',
      "ggml/include/ggml-more.h": "int ggml_init(void);\n",
      "common/chat.h": "struct common_chat { int a; int b; int c() { return 1; } };\n",
    };
    const other = { ...inside, "common/chat.h": inside["common/chat.h"].replace("1", "2") };
    const one = write(join(work, "moved"), { ...OLD, ...inside });
    const two = write(join(work, "inside"), { ...OLD, ...other });
    expect((await report(before, one)).lines).toContain("- not used, moved: ggml_init");
    expect(await report(one, two)).toMatchObject({
      lines: expect.arrayContaining(["- not used, changed: common_chat"]),
      tasks: [],
    });
  });
});

test("what is looked for in llama.cpp's tree is there", async () => {
  const tree = llamaCppDir();
  const watched = (await evaluated("WATCHED of tree-changes.mjs", "WATCHED")) as { path: string }[];
  for (const { path } of watched) expect(existsSync(join(tree, path))).toBe(true);
  const own = join(__dirname, "..", "..");
  const found = (await evaluated(
    "reachedHeaders, ownSources of header-changes.mjs",
    `[...reachedHeaders(${JSON.stringify(tree)}, ownSources(${JSON.stringify(own)})).keys()]`,
  )) as string[];
  const main = [
    "include/llama.h",
    "src/llama-ext.h",
    "common/chat.h",
    "ggml/include/ggml-backend.h",
  ];
  expect(found).toEqual(expect.arrayContaining(main));
  const folders = (await evaluated(
    "DATA, folderChanges of tree-changes.mjs",
    `DATA.map((one) => folderChanges(${JSON.stringify(work)}, ${JSON.stringify(tree)}, one).added.length)`,
  )) as number[];
  for (const files of folders) expect(files).toBeGreaterThan(3);
});

describe("the command", () => {
  let server: Server;
  let registry: string;
  let commits: string[];
  const tarballs = new Map<string, Buffer>();
  const integrityOf = (bytes: Buffer) =>
    `sha512-${createHash("sha512").update(bytes).digest("base64")}`;

  function git(folder: string, ...args: string[]): string {
    const identity = ["-c", "user.name=cria", "-c", "user.email=cria@example.com"];
    return execFileSync("git", [...identity, ...args], { cwd: folder, encoding: "utf8" }).trim();
  }

  /** The carrier's package of a version: a git bundle, and the version of what is in it beside it. */
  function makeCarrier(version: string, tag: string, source: string): string {
    git(source, "init", "--quiet");
    git(source, "add", ".");
    git(source, "commit", "--quiet", "--message", tag);
    const folder = join(work, `carrier-${version}`);
    write(folder, {
      "package/package.json": JSON.stringify({ name: "carrier", version }),
      "package/llama/llama.cpp.info.json": JSON.stringify({ tag }),
    });
    git(source, "bundle", "create", "--quiet", join(folder, "package/llama/it.bundle"), "HEAD");
    execFileSync("cmake", ["-E", "tar", "czf", "it.tgz", "package"], { cwd: folder });
    tarballs.set(version, readFileSync(join(folder, "it.tgz")));
    return git(source, "rev-parse", "HEAD");
  }

  beforeAll(async () => {
    const older = write(join(work, "git-old"), OLD);
    const newer = write(join(work, "git-new"), AFTER);
    commits = [makeCarrier("1.0.0", "v0.4.0", older), makeCarrier("1.1.0", "b123", newer)];
    server = createServer((request, response) => {
      const [, version] = /\/(\d\.\d\.\d)\.tgz$/.exec(request.url ?? "") ?? [];
      if (version !== undefined) return response.end(tarballs.get(version));
      const versions = [...tarballs].map(([own, bytes]) => {
        const dist = { tarball: `${registry}/${own}.tgz`, integrity: integrityOf(bytes) };
        return [own, { name: "carrier", version: own, dist }];
      });
      response.setHeader("content-type", "application/json");
      const tags = { latest: "1.1.0" };
      return response.end(
        JSON.stringify({
          name: "carrier",
          "dist-tags": tags,
          versions: Object.fromEntries(versions),
        }),
      );
    });
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    registry = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(async () => {
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  });

  /** Of a checkout that pins 1.0.0, with its tree in place or not. */
  async function bump(options: {
    version: string;
    write?: boolean;
    keep?: string;
    built?: boolean;
  }) {
    const root = mkdtempSync(join(work, "root-"));
    const home = mkdtempSync(join(work, "home-")); // with an empty npm cache
    const carrier = {
      package: "carrier@1.0.0",
      integrity: integrityOf(tarballs.get("1.0.0") as Buffer),
      bundle: "llama/it.bundle",
    };
    const pin = { version: "0.4.0", commit: commits[0], carrier, shipped: ["LICENSE"] };
    const pinFile = { "scripts/llama-cpp.json": `${JSON.stringify(pin, null, 2)}\n` };
    write(root, { ...OWN, ...pinFile });
    if (options.built) {
      cpSync(join(work, "git-old"), join(root, ".llama.cpp"), { recursive: true });
      writeFileSync(join(root, ".llama.cpp", ".commit"), `${commits[0]}\n`);
    }
    const program = `import { bump } from ${script("llama-cpp-bump.mjs")};
      process.exitCode = await bump(${JSON.stringify({ ...options, root, registry })});`;
    const { stdout } = await run(process.execPath, ["--input-type=module", "--eval", program], {
      env: { ...process.env, HOME: home, TMPDIR: home },
    });
    const written = readFileSync(join(root, "scripts/llama-cpp.json"), "utf8");
    return { stdout, written, same: written === pinFile["scripts/llama-cpp.json"], pin };
  }

  test("finds nothing changed in the pinned version itself, and writes nothing", async () => {
    for (const built of [true, false]) {
      const { stdout, same } = await bump({ version: "1.0.0", built });
      expect(stdout).toBe(
        "# llama.cpp 0.4.0 (carrier@1.0.0) → 0.4.0 (carrier@1.0.0)\n\nnothing changed\n",
      );
      expect(same).toBe(true);
    }
  });

  test("tells what another version changes, and keeps its source where it is asked to", async () => {
    const keep = join(work, "kept");
    const { stdout, same } = await bump({ version: "1.1.0", built: true, keep });
    expect(stdout).toMatch(
      /^# llama\.cpp 0\.4\.0 \(carrier@1\.0\.0\) → b123 \(carrier@1\.1\.0\)\n/,
    );
    expect(stdout).toMatch(/^- llama_gone is gone and used$/m);
    expect(same).toBe(true);
    expect(readFileSync(join(keep, "include/llama.h"), "utf8")).toBe(AFTER["include/llama.h"]);
  });

  test("writes the pin only with --write: version, commit, and the hash of what carries it", async () => {
    const { written, pin } = await bump({ version: "latest", built: true, write: true });
    expect(JSON.parse(written)).toEqual({
      ...pin,
      version: "b123",
      commit: commits[1],
      carrier: {
        ...pin.carrier,
        package: "carrier@1.1.0",
        integrity: integrityOf(tarballs.get("1.1.0") as Buffer),
      },
    });
    expect(written.endsWith("}\n")).toBe(true);
  });

  test.each([
    [[], /Expected one version, got 0/],
    [["3.21.1", "3.20.0"], /Expected one version, got 2/],
    [["../elsewhere"], /Expected a version such as 3\.22\.1, got "\.\.\/elsewhere"/],
    [["3.21.1", "--wrte"], /--wrte/],
  ])("refuses %j before anything is fetched", async (args, told) => {
    const command = resolve("scripts", "llama-cpp-bump.mjs");
    await expect(run(process.execPath, [command, ...args])).rejects.toMatchObject({
      code: 2,
      stdout: "",
      stderr: expect.stringMatching(told),
    });
  });
});

describe("the checks", () => {
  const check = (steps: object[]) =>
    evaluated(
      "runChecks of bump-checks.mjs",
      `runChecks({ root: ${JSON.stringify(work)}, steps: ${JSON.stringify(steps)}, log() {} })`,
    );
  const program = (code: string) => [process.execPath, "--eval", code];

  test("name the errors of a build that fails, and go no further", async () => {
    const build = `console.log("[1/2] model.cpp");
      console.error("native/core/model.cpp:7:3: error: 'llama_gone' was not declared in this scope");
      console.error("native/core/model.cpp:7:3: error: 'llama_gone' was not declared in this scope");
      process.exitCode = process.env.LLAMA_CPP_DIR === "there" ? 1 : 0;`;
    const never = `require("node:fs").writeFileSync("never", "")`;
    const env = { LLAMA_CPP_DIR: "there" };
    expect(
      await check([
        { name: "build", command: program(build), env },
        { name: "tests", command: program(never) },
      ]),
    ).toEqual([
      "build failed (1)",
      "native/core/model.cpp:7:3: error: 'llama_gone' was not declared in this scope",
    ]);
    expect(() => readFileSync(join(work, "never"))).toThrow(/ENOENT/);
  });

  test("name the tests that fail, suites that do not run, and a report that is not there", async () => {
    const results = join(work, "jest.json");
    const report = {
      testResults: [
        {
          name: join(work, "test/a.test.ts"),
          status: "passed",
          message: "",
          assertionResults: [{ status: "passed", fullName: "well" }],
        },
        {
          name: join(work, "test/b.test.ts"),
          status: "failed",
          message: "",
          assertionResults: [{ status: "failed", fullName: "the logits are llama.cpp's" }],
        },
        {
          name: join(work, "test/c.test.ts"),
          status: "failed",
          message: "\n  Cannot find module\n at x",
          assertionResults: [],
        },
      ],
    };
    const jest = (value: object) =>
      `require("node:fs").writeFileSync(${JSON.stringify(results)}, ${JSON.stringify(JSON.stringify(value))})`;
    const step = (code: string) => [{ name: "tests", command: program(code), results }];
    expect(await check(step(`${jest(report)}; process.exitCode = 1`))).toEqual([
      "test/b.test.ts: the logits are llama.cpp's",
      "test/c.test.ts did not run: Cannot find module",
    ]);
    expect(await check(step(jest({ testResults: report.testResults.slice(0, 1) })))).toEqual([]);
    // One of an earlier run does not count.
    expect(await check(step("0"))).toEqual(["the tests left no report"]);
  });

  test("every suite that is run is there", async () => {
    const suites = (await evaluated("SUITES of bump-checks.mjs", "SUITES")) as string[];
    expect(suites.length).toBeGreaterThan(10);
    const { stdout } = await run(process.execPath, [
      resolve("node_modules/jest/bin/jest.js"),
      "--listTests",
      "--selectProjects",
      "native",
    ]);
    for (const suite of suites) expect(stdout.replaceAll("\\", "/")).toContain(`/${suite}`);
  });
});
