// docs/server.md compares the routes with llama-server's: its table has all of both, and says what is there.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ROUTES } from "../../lib/server/server-routes.js";
import { llamaCppDir } from "../support/llama-cpp-dir.js";
import { ROOT } from "../support/paths.js";

/** As the table writes it: what stands for any name is a word in capitals. */
const NAMES: Readonly<Record<string, readonly string[]>> = {
  "/v1/models/": ["/v1/models/NAME"],
  "/v1/files/": ["/v1/files/ID", "/v1/files/ID/content"],
  "/v1/batches/": ["/v1/batches/ID", "/v1/batches/ID/cancel"],
};
const own = Object.keys(ROUTES).flatMap((path) => NAMES[path] ?? [path]);
/** They are no routes of the table's, but files. */
const PAGE = ["/", "/page/…"];

const page = readFileSync(join(ROOT, "docs", "server.md"), "utf8");
const [, table = ""] = page.split("## Routes, beside llama-server");
const rows = table
  .split("\n## ")[0]
  ?.split("\n")
  .filter((line) => line.startsWith("| `/"))
  .map((line) => {
    const [, paths = "", verdict = ""] = line.split("|");
    return { paths: [...paths.matchAll(/`([^`]+)`/g)].map(([, path = ""]) => path), verdict };
  });
const toldOf = (missing: boolean) =>
  (rows ?? [])
    .filter(({ verdict }) => (verdict.trim() === "missing") === missing)
    .flatMap(({ paths }) => paths);

test("every route is in the table once, and nothing else is called one", () => {
  expect(toldOf(false).sort()).toEqual([...own, ...PAGE].sort());
});

test("every route of llama-server's is in the table, and what is missing is", () => {
  const source = readFileSync(join(llamaCppDir(), "tools", "server", "server.cpp"), "utf8");
  const calls = [...source.matchAll(/ctx_http\.(?:get|post|del) *\( *"([^"]+)"/g)];
  const theirs = [...new Set(calls.map(([, path = ""]) => path.replace(/:\w+/, "ID")))];
  expect(theirs.length).toBeGreaterThan(40);
  const missing = toldOf(true);
  expect(theirs.filter((path) => !own.includes(path)).sort()).toEqual([...missing].sort());
});
