// clang-format over our C++; with --check it only looks, and fails where something would change.

import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const folders = ["native", "cmake", "test", "bench"];

const files = folders
  .filter((folder) => existsSync(path.join(root, folder)))
  .flatMap((folder) =>
    readdirSync(path.join(root, folder), { recursive: true }).map((name) =>
      path.join(folder, name),
    ),
  )
  .filter((name) => /\.(cpp|h)$/.test(name) && !name.includes("node_modules"));

const mode = process.argv.includes("--check") ? ["--dry-run", "-Werror"] : ["-i"];
const { error, status } = spawnSync("clang-format", [...mode, ...files], {
  cwd: root,
  stdio: "inherit",
});
if (error) {
  console.error("clang-format is missing (Debian: apt-get install clang-format).");
}
process.exitCode = status ?? 1;
