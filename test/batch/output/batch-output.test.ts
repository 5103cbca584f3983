import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  appendFileSync,
  createReadStream,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { gzipSync } from "node:zlib";
import {
  inputFile,
  linesOf,
  outputFile,
  prompts,
  sorted,
  stubRunner,
  temporaryFolder,
} from "../../support/batch.js";

const folder = temporaryFolder();
const run = stubRunner(folder);

describe.each(["jsonl", "jsonl.gz"])("an output that was left (%s)", (ending) => {
  test("is refused, gone on with, or replaced", async () => {
    const first = run(prompts(10), { output: outputFile(folder, ending) });
    await first.summary;
    const { output } = first;
    await expect(run(prompts(10), { output }).summary).rejects.toMatchObject({
      code: "ERR_INVALID_ARGUMENT",
      message: expect.stringMatching(/exists: `resume` goes on with it, `overwrite` replaces it/),
    });
    const more = run(prompts(15), { output, resume: true });
    expect(await more.summary).toMatchObject({ done: 15, skipped: 10 });
    expect(more.engine.started).toHaveLength(5);
    expect(linesOf(output)).toHaveLength(15);
    await run(prompts(3), { output, overwrite: true }).summary;
    expect(linesOf(output)).toHaveLength(3);
  });

  test("torn anywhere, it is repaired, and ends as an undisturbed one", async () => {
    const whole = run(prompts(40), { output: outputFile(folder, ending) });
    await whole.summary;
    const bytes = readFileSync(whole.output);
    for (let cut = 0; cut <= bytes.length; cut += Math.ceil(bytes.length / 60)) {
      const output = outputFile(folder, ending);
      writeFileSync(output, bytes.subarray(0, cut));
      expect(await run(prompts(40), { output, resume: true }).summary).toMatchObject({ done: 40 });
      expect(sorted(output)).toEqual(sorted(whole.output));
    }
  });

  test("of other requests, or of none, is not gone on with", async () => {
    const { output, summary } = run(prompts(10), { output: outputFile(folder, ending) });
    await summary;
    const changed = prompts(10).map((line, index) =>
      index === 4 ? { ...line, prompt: "?" } : line,
    );
    await expect(run(changed, { output, resume: true }).summary).rejects.toThrow(
      /^Line 5 of the input \("id-4"\) is not the request that the output has a result of/,
    );
    expect(linesOf(output)).toHaveLength(10);
    const note = "a note of mine\n";
    appendFileSync(output, ending === "jsonl" ? note : gzipSync(note));
    await expect(run(prompts(10), { output, resume: true }).summary).rejects.toThrow(
      /Line 11 of the output .* is not a result of a run/,
    );
  });
});

test.each(["a note of mine", "x".repeat(100)])(
  "what is no torn result is not cut off (%#)",
  async (note) => {
    const { output, summary } = run(prompts(2));
    await summary;
    appendFileSync(output, note);
    const before = readFileSync(output, "utf8");
    await expect(run(prompts(2), { output, resume: true }).summary).rejects.toThrow(
      /Line 3 of the output .* is not a result of a run/,
    );
    expect(readFileSync(output, "utf8")).toBe(before);
    writeFileSync(output, note);
    await expect(run(prompts(2), { output, resume: true }).summary).rejects.toThrow(
      /Line 1 of the/,
    );
    expect(readFileSync(output, "utf8")).toBe(note);
  },
);

test("zeros that a system left at the end are cut off", async () => {
  const { output, summary } = run(prompts(2));
  await summary;
  const before = readFileSync(output, "utf8");
  appendFileSync(output, Buffer.alloc(5000));
  expect(await run(prompts(2), { output, resume: true }).summary).toMatchObject({ skipped: 2 });
  expect(readFileSync(output, "utf8")).toBe(before);
});

test("going on and replacing are opposites", async () => {
  const both = { resume: true, overwrite: true };
  await expect(run(prompts(1), both).summary).rejects.toMatchObject({
    code: "ERR_INVALID_ARGUMENT",
    message: expect.stringMatching(/opposites/),
  });
});

test("an output that is the input is refused, and stays as it is", async () => {
  const input = inputFile(folder, prompts(3));
  const before = readFileSync(input, "utf8");
  for (const options of [{ overwrite: true }, { resume: true }]) {
    await expect(run(input, { ...options, output: input }).summary).rejects.toThrow(/is the input/);
  }
  const stream = createReadStream(input);
  await once(stream, "open");
  const asStream = run(stream, { overwrite: true, output: input }).summary;
  await expect(asStream).rejects.toThrow(/is the input/);
  expect(readFileSync(input, "utf8")).toBe(before);
});

describe("two runs on one output", () => {
  test("are refused, also where the other is another process's", async () => {
    let release = () => {};
    let begin = () => {};
    const begun = new Promise<void>((resolve) => {
      begin = resolve;
    });
    const answer = (text: string) =>
      new Promise<string>((done) => {
        release = () => done(text);
        begin();
      });
    const { output, summary } = run(prompts(1), { answer });
    await begun;
    await expect(run(prompts(1), { output, resume: true }).summary).rejects.toThrow(
      new RegExp(`is being written by process ${process.pid} on`),
    );
    symlinkSync(folder, `${folder}-again`);
    const otherName = output.replace(folder, `${folder}-again`);
    await expect(run(prompts(1), { output: otherName }).summary).rejects.toThrow(
      /being written by/,
    );
    rmSync(`${folder}-again`);
    release();
    await summary;
    expect(await run(prompts(1), { output, resume: true }).summary).toMatchObject({ skipped: 1 });
  });

  test("a lock that a killed process left is taken over, also where its id is used again", async () => {
    const output = outputFile(folder);
    const child = spawn(process.execPath, ["-e", ""]);
    await once(child, "exit");
    const host = (await import("node:os")).hostname();
    const left = [{ pid: child.pid, host, since: "1" }];
    if (process.platform === "linux") left.push({ pid: process.pid, host, since: "1" });
    for (const holder of left) {
      writeFileSync(`${output}.lock`, JSON.stringify(holder));
      await run(prompts(1), { output, overwrite: true }).summary;
    }
    writeFileSync(`${output}.lock`, JSON.stringify({ pid: 1, host: "elsewhere", since: "" }));
    await expect(run(prompts(1), { output, overwrite: true }).summary).rejects.toThrow(
      /process 1 on elsewhere: wait for it, .* delete/,
    );
  });
});
