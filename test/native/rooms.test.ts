import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { llamaCppDir } from "../support/llama-cpp-dir.js";
import { ROOT } from "../support/paths.js";

const native = join(ROOT, "native");

/** Each may include what those behind it have; core/chat stands beside core/engine. */
const ROOMS = [
  "binding",
  "core/engine",
  "core/chat",
  "core/embedding",
  "core/request",
  "core/media",
  "core/speculation",
  "core/sampling",
  "core/adapters",
  "core/model",
];
const BESIDE: Readonly<Record<string, string>> = { "core/engine": "core/chat" };

const files = readdirSync(native, { recursive: true, encoding: "utf8" })
  .map((name) => name.replaceAll("\\", "/"))
  .filter((name) => /\.(h|cpp|c)$/.test(name));
const sources = new Map(files.map((name) => [name, readFileSync(join(native, name), "utf8")]));
const room = (name: string) => dirname(name);

function included(name: string, brackets: '"' | "<"): string[] {
  return [...sources.get(name)!.matchAll(/^#include (["<])([^">]+)[">]/gm)]
    .filter(([, opening]) => opening === brackets)
    .map(([, , header]) => header!);
}

/** Our own files that it includes: a name without a folder is a neighbour's. */
function own(name: string): string[] {
  return included(name, '"').map((header) =>
    header.includes("/") ? header : `${room(name)}/${header}`,
  );
}

test("every file is in a room of the plan", () => {
  expect(files.length).toBeGreaterThan(50);
  expect([...new Set(files.map(room))].sort()).toEqual([...ROOMS].sort());
});

test.each(files)("%s includes what is there, and nothing above its room", (name) => {
  const rank = ROOMS.indexOf(room(name));
  for (const header of own(name)) {
    expect(files).toContain(header);
    expect(ROOMS.indexOf(room(header))).toBeGreaterThanOrEqual(rank);
    expect(room(header)).not.toBe(BESIDE[room(name)]);
  }
});

test("no includes go round in a circle", () => {
  const done = new Set<string>();
  const visit = (name: string, path: readonly string[]) => {
    expect(path).not.toContain(name);
    if (done.has(name)) return;
    for (const header of own(name)) visit(header, [...path, name]);
    done.add(name);
  };
  for (const name of files) visit(name, []);
});

test("only core/chat includes llama.cpp's common/, and only binding/ includes Node-API", () => {
  const common = join(llamaCppDir(), "common");
  const shared = new Set(
    readdirSync(common, { recursive: true, encoding: "utf8" })
      .map((file) => relative(common, join(common, file)).replaceAll("\\", "/"))
      .filter((file) => file.endsWith(".h")),
  );
  expect(shared).toContain("chat.h");
  const within = (is: (header: string) => boolean) =>
    [...new Set(files.filter((name) => included(name, "<").some(is)).map(room))].sort();
  expect(within((header) => shared.has(header))).toEqual(["core/chat"]);
  expect(within((header) => /^(napi|node_api|node|v8|uv)\.h$/.test(header))).toEqual(["binding"]);
});

test("of llama.cpp's own sources two files include one header", () => {
  const source = join(llamaCppDir(), "src");
  const internal = new Set(readdirSync(source).filter((file) => file.endsWith(".h")));
  const included = (name: string) => [...sources.get(name)!.matchAll(/^#include [<"]([^">]+)/gm)];
  const including = files.flatMap((name) =>
    included(name)
      .map(([, header]) => header!.split("/").at(-1)!)
      .filter((header) => internal.has(header))
      .map((header) => `${name}: ${header}`),
  );
  expect(including).toEqual([
    "core/model/memory_breakdown.cpp: llama-ext.h",
    "core/speculation/hidden_rows.cpp: llama-ext.h",
  ]);
});

describe("llama.h", () => {
  const header = readFileSync(join(llamaCppDir(), "include", "llama.h"), "utf8");
  const plain = header.replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*/g, "");
  const functions = new Set(
    [...plain.matchAll(/LLAMA_API\b[^;{]*?\b(llama_\w+)\s*\(/g)].map(([, name]) => name!),
  );
  const code = [...sources.values()].join("\n").replaceAll(/^\s*\/\/.*/gm, "");
  const used = [...functions].filter((name) => new RegExp(`\\b${name}\\(`).test(code));
  const reasons: Record<string, string[]> = JSON.parse(
    readFileSync(join(native, "llama-h-left-out.json"), "utf8"),
  );
  const leftOut = Object.values(reasons).flat();

  test("has functions that are used", () => {
    expect(functions.size).toBeGreaterThan(200);
    expect(used).toContain("llama_decode");
  });

  test("every function is used, or left out with a reason in native/llama-h-left-out.json", () => {
    const known = new Set([...used, ...leftOut]);
    expect([...functions].filter((name) => !known.has(name))).toEqual([]);
  });

  test("nothing is listed as left out that is used, gone, or listed twice", () => {
    expect(leftOut.filter((name) => used.includes(name) || !functions.has(name))).toEqual([]);
    expect(leftOut).toHaveLength(new Set(leftOut).size);
  });
});
