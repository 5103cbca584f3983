import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { lockOutput } from "../../../lib/batch/output/output-lock.js";
import { runWith } from "../../../lib/batch/run-batch.js";
import { CriaError } from "../../../lib/index.js";
import { StubEngine, temporaryFolder } from "../../support/batch.js";
import { MODEL } from "../../support/paths.js";

jest.mock("node:fs/promises", () => ({ ...jest.requireActual("node:fs/promises") }));

/** The one that lib has, so that its functions can be made to fail. */
const fsPromises: typeof import("node:fs/promises") = jest.requireMock("node:fs/promises");

const folder = temporaryFolder();

/** A worker that has the output's lock, and then does what it is told. */
async function locking(output: string): Promise<Worker> {
  const worker = new Worker(join(__dirname, "lock-worker.mjs"), {
    workerData: { output, model: MODEL },
  });
  await new Promise((resolve, reject) => {
    worker.once("message", resolve);
    worker.once("error", reject);
  });
  return worker;
}

test.each(["terminate", "exit", "throw"])("a worker's lock goes with it: %s", async (how) => {
  const output = join(folder, `${how}.jsonl`);
  const worker = await locking(output);
  await expect(lockOutput(output)).rejects.toThrow(/is being written by process \d+/);
  const ended = new Promise((resolve) => worker.once("exit", resolve));
  worker.once("error", () => {}); // what it throws
  if (how === "terminate") await worker.terminate();
  else worker.postMessage(how);
  await ended;
  expect(existsSync(`${output}.lock`)).toBe(true); // nobody was there to remove it
  const unlock = await lockOutput(output);
  await expect(lockOutput(output)).rejects.toThrow(/is being written by/);
  await unlock();
  expect(existsSync(`${output}.lock`)).toBe(false);
});

test("a second run of the same thread is refused, and leaves the first its lock", async () => {
  const output = join(folder, "twice.jsonl");
  const unlock = await lockOutput(output);
  for (let round = 0; round < 3; round++) {
    const refused = await lockOutput(output).catch((error: unknown) => error);
    expect(CriaError.is(refused)).toBe(true);
    expect(refused).toMatchObject({
      ...{ code: "ERR_LOCKED", details: { path: output, pid: process.pid } },
      message: expect.stringMatching(/is being written by process/),
    });
  }
  expect(existsSync(`${output}.lock`)).toBe(true);
  await unlock();
  await (await lockOutput(output))();
});

test.each(["datasync", "close"] as const)(
  "an end that cannot be written is told, and leaves no lock: %s",
  async (method) => {
    const output = join(folder, `${method}.jsonl`);
    const engine = new StubEngine();
    const input = [{ prompt: "a" }];
    const { open } = fsPromises;
    const failing = jest.spyOn(fsPromises, "open").mockImplementation(async (...given) => {
      const handle = await open(...given);
      if (given[0] !== output) return handle;
      const own = handle[method].bind(handle);
      handle[method] = async () => {
        await own();
        throw Object.assign(new Error("input/output error"), { code: "EIO" });
      };
      return handle;
    });
    const error = await runWith({ input, output, engine }).catch((thrown: unknown) => thrown);
    failing.mockRestore();
    expect(error).toMatchObject({
      ...{ code: "EIO", message: expect.stringContaining(`The end of the output ${output}`) },
    });
    expect(existsSync(`${output}.lock`)).toBe(false);
    // Nor the claim within this process.
    const again = await runWith({ input, output, engine, resume: true });
    expect(again).toMatchObject({ done: 1, skipped: 1 });
  },
);

test("another copy of the engine in this process is not known to this one", async () => {
  const output = join(folder, "copy.jsonl");
  const unlock = await lockOutput(output);
  const holder = JSON.parse(readFileSync(`${output}.lock`, "utf8")) as object;
  await unlock();
  writeFileSync(`${output}.lock`, JSON.stringify({ ...holder, engine: "another" }));
  await expect(lockOutput(output)).rejects.toThrow(/is being written by process/);
  writeFileSync(`${output}.lock`, JSON.stringify(holder));
  await (await lockOutput(output))();
});
