import { readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { ROOT } from "./support/paths.js";

const files = (readdirSync(join(ROOT, "lib"), { recursive: true }) as string[]).filter((file) =>
  file.endsWith(".ts"),
);

test("no two files bear the same name", () => {
  const names = files.map((file) => basename(file));
  expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
  expect(names.length).toBeGreaterThan(100);
});

test("only the root has an index", () => {
  expect(files.filter((file) => basename(file) === "index.ts")).toEqual(["index.ts"]);
});
