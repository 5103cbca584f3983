import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { inputFile, linesOf, outputFile, temporaryFolder } from "../support/batch.js";
import { cria, DEMO_MODEL, finish } from "../support/cli.js";
import { CLI } from "../support/paths.js";

const folder = temporaryFolder();
const args = (file: string, output: string) => [
  ...["batch", DEMO_MODEL, file, "-o", output, "--temperature", "0", "--sequences", "4"],
  ...["--max-tokens", "4", "--quiet", "--resume"],
];

// A limit on the size of files stands for a disk that is full: a write is cut short, then refused.
const limited = (blocks: number, more: string[]) => {
  const command = `trap "" XFSZ; ulimit -f ${blocks}; exec "$0" "$@"`;
  return finish(spawn("bash", ["-c", command, process.execPath, CLI, ...more]));
};
const endings = process.platform === "win32" ? [] : ["jsonl", "jsonl.gz"];

for (const ending of endings) {
  test(`a full disk ends the run, and nothing is lost (${ending})`, async () => {
    const prompts = Array.from({ length: 300 }, (_, index) => ({
      id: `id-${index}`,
      prompt: `Once upon a time ${(index * 7919) % 1009}`,
    }));
    const file = inputFile(folder, prompts);
    const output = outputFile(folder, ending);
    const { code, stderr } = await limited(8, args(file, output));
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /^cria: The output .* cannot be written: EFBIG.* What it holds is complete: make room/,
    );
    expect(existsSync(`${output}.lock`)).toBe(false);
    const { length } = linesOf(output);
    expect(length).toBeGreaterThan(0);
    expect(length).toBeLessThan(300);
    const before = readFileSync(output);
    expect((await cria(args(file, output))).code).toBe(0);
    expect(readFileSync(output).subarray(0, before.length).equals(before)).toBe(true);
    expect(new Set(linesOf(output).map(({ custom_id }) => custom_id)).size).toBe(300);
  });
}

test("a disk that is full from the beginning leaves nothing behind", async () => {
  if (process.platform === "win32") return;
  const output = outputFile(folder);
  const file = inputFile(folder, [{ prompt: "x" }]);
  const { code, stderr } = await limited(0, args(file, output));
  expect(code).toBe(1);
  expect(stderr).toMatch(/^cria: The output .* cannot be locked: EFBIG/);
  expect(existsSync(`${output}.lock`)).toBe(false);
  expect((await cria(args(file, output))).code).toBe(0);
});

test("an output that is no regular file is refused", async () => {
  if (!existsSync("/dev/full")) return;
  const { code, stderr } = await cria(args(inputFile(folder, [{ prompt: "x" }]), "/dev/full"));
  expect(code).toBe(2);
  expect(stderr).toMatch(/no regular file/);
  expect(existsSync("/dev/full.lock")).toBe(false);
});
