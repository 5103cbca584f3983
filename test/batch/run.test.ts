import { spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, existsSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { runWith } from "../../lib/batch/run-batch.js";
import type { BatchProgress } from "../../lib/batch/types.js";
import {
  errorOf,
  inputFile,
  linesOf,
  outputFile,
  StubEngine,
  type StubOptions,
  sorted,
  temporaryFolder,
} from "./support.js";

const folder = temporaryFolder();
const prompts = (count: number) =>
  Array.from({ length: count }, (_, index) => ({ id: `id-${index}`, prompt: `prompt ${index}` }));

type Options = Partial<Parameters<typeof runWith>[0]> & StubOptions;

function run(
  input: Parameters<typeof runWith>[0]["input"],
  { capacity, answer, ...more }: Options = {},
) {
  const engine = new StubEngine({ ...(capacity && { capacity }), ...(answer && { answer }) });
  const output = more.output ?? outputFile(folder);
  const summary = runWith({ input, engine, ...more, output });
  return { engine, output, summary };
}

test("answers each line once, and counts", async () => {
  const progress: BatchProgress[] = [];
  const { output, summary } = run(inputFile(folder, prompts(1000)), {
    onProgress: (now) => progress.push(now),
  });
  expect(await summary).toMatchObject({
    ...{ done: 1000, skipped: 0, errors: 0, interrupted: false },
    ...{ promptTokens: 1000, cachedTokens: 0, completionTokens: 2000 },
  });
  expect(new Set(linesOf(output).map(({ custom_id }) => custom_id)).size).toBe(1000);
  expect(progress.at(-1)).toMatchObject({ done: 1000, fraction: 1 });
});

test("reads objects and streams of bytes, whatever their pieces are", async () => {
  const bytes = Buffer.from(
    `${prompts(20)
      .map((line) => JSON.stringify(line))
      .join("\r\n")}`,
  );
  const whole = run(prompts(20));
  await whole.summary;
  for (const size of [1, 7, 1000]) {
    const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
      bytes.subarray(index * size, (index + 1) * size),
    );
    const { output, summary } = run(pieces);
    await summary;
    expect(sorted(output)).toEqual(sorted(whole.output));
  }
});

test("of a text each line is a prompt", async () => {
  const input = inputFile(folder, ["one", "", '{"two": 2}']);
  const { output, summary } = run(input, { format: "text", ordered: true });
  await summary;
  expect(linesOf(output)).toMatchObject([
    { custom_id: "line-1", response: { body: { text: "one" } } },
    { custom_id: "line-3", response: { body: { text: '{"two": 2}' } } },
  ]);
});

test("in order where it is asked for, and in the order of finishing where not", async () => {
  const input = inputFile(folder, prompts(300));
  const answer = async (text: string) => {
    const [, index] = text.split(" ");
    for (let turns = Number(index) % 7; turns >= 0; turns--) await new Promise(setImmediate);
    return text;
  };
  const order = async (ordered: boolean) => {
    const { output, summary } = run(input, { ordered, answer });
    await summary;
    return linesOf(output).map(({ custom_id }) => Number(custom_id.slice(3)));
  };
  const expected = Array.from({ length: 300 }, (_, index) => index);
  expect(await order(true)).toEqual(expected);
  const free = await order(false);
  expect(free).not.toEqual(expected);
  expect(free.sort((a, b) => a - b)).toEqual(expected);
});

test("those with the same beginning run next to each other, and none waits for ever", async () => {
  const input = Array.from({ length: 3000 }, (_, index) => ({
    prompt: `${["sea", "air", "fire", "earth"][index % 4]} ${index}`,
  }));
  const { engine, summary } = run(input, { capacity: 4 });
  await summary;
  const changes = engine.started.filter(
    (prompt, index) => prompt.split(" ")[0] !== engine.started[index - 1]?.split(" ")[0],
  );
  expect(changes.length).toBeLessThan(60);
  for (const [turn, prompt] of engine.started.entries()) {
    expect(turn - Number(prompt.split(" ")[1])).toBeLessThan(1200);
  }
  expect(engine.mostRunning).toBe(4);
});

test("lanes do not run beside each other", async () => {
  const body = { input: "text" };
  const embedding = { method: "POST", url: "/v1/embeddings", body };
  const lines = Array.from({ length: 400 }, (_, index) =>
    index % 2 ? { custom_id: `e${index}`, ...embedding } : { id: `g${index}`, prompt: "x" },
  );
  const { engine, summary } = run(lines);
  expect(await summary).toMatchObject({ done: 400, errors: 0 });
  const changes = engine.started.filter((text, index) => text !== engine.started[index - 1]);
  expect(changes.length).toBeLessThan(10);
});

test("no more lines than the limit", async () => {
  const input = inputFile(folder, prompts(50));
  const { output, summary } = run(input, { limit: 20 });
  expect(await summary).toMatchObject({ done: 20 });
  expect(linesOf(output)).toHaveLength(20);
});

test("a line's seed is its own: of the run's and its id, wherever it stands", async () => {
  const seeds = async (lines: object[], seed?: number) => {
    const { output, summary } = run(lines, { ...(seed !== undefined && { seed }) });
    await summary;
    const bodies = linesOf(output).map((line) => [
      line.custom_id,
      (line.response as unknown as { body: { seed: number } }).body.seed,
    ]);
    return Object.fromEntries(bodies) as Record<string, number>;
  };
  const all = await seeds(prompts(20));
  expect(new Set(Object.values(all)).size).toBe(20);
  expect(await seeds(prompts(20).reverse())).toEqual(all);
  const { "id-7": alone } = await seeds([{ id: "id-7", prompt: "another" }]);
  expect(alone).toBe(all["id-7"]);
  const others = await seeds(prompts(20), 1);
  expect(others["id-7"]).not.toBe(all["id-7"]);
});

describe("bad lines", () => {
  test("are errors of their own, with their numbers, and the others are answered", async () => {
    const chat = { method: "POST", url: "/v1/chat/completions", body: { messages: [] } };
    const file = outputFile(folder);
    const bytes = Buffer.concat([
      Buffer.from('\uFEFF{"id": "bom", "prompt": "x"}\r\n'),
      Buffer.from("not json\n"),
      Buffer.from("[1]\n\n  \n"),
      Buffer.from([...Buffer.from('{"id": "utf", "prompt": "'), 0xff, 0xfe, 0x22, 0x7d, 0x0a]),
      Buffer.from(`{"id": "long", "prompt": "${"x".repeat(10_000_000)}"}\n`),
      Buffer.from(`${JSON.stringify({ ...chat, custom_id: "url", url: "/v1/images" })}\n`),
      Buffer.from(`${JSON.stringify({ ...chat, custom_id: "method", method: "GET" })}\n`),
      Buffer.from(`${JSON.stringify({ ...chat, custom_id: 5 })}\n`),
      Buffer.from(`${JSON.stringify({ ...chat, custom_id: "body", body: "x" })}\n`),
      Buffer.from('{"id": "type", "prompt": "x", "maxTokens": "many"}\n'),
      Buffer.from('{"id": "typo", "prompt": "x", "maxToken": 5}\n'),
      Buffer.from('{"id": "both", "prompt": "x", "messages": []}\n'),
      Buffer.from('{"id": "bom", "prompt": "again"}\n'),
      Buffer.from('{"id": "last", "prompt": "no line feed"}'),
    ]);
    writeFileSync(file, bytes);
    const { output, summary } = run(file);
    expect(await summary).toMatchObject({ done: 14, errors: 12 });
    const lines = linesOf(output);
    expect(errorOf(lines, "line-2")).toMatch(/^2 ERR_INVALID_ARGUMENT: The line is no JSON/);
    expect(errorOf(lines, "line-3")).toMatch(/^3 .*Expected a JSON object, got an array/);
    expect(errorOf(lines, "line-6")).toMatch(/^6 .*no UTF-8/);
    expect(errorOf(lines, "line-7")).toMatch(/^7 .*1000002\d bytes, and 8388608 are the most/);
    expect(errorOf(lines, "url")).toMatch(/^8 .*\/v1\/moderations for `url`, got "\/v1\/images"/);
    expect(errorOf(lines, "method")).toMatch(/^9 .*Expected "POST" for `method`, got "GET"/);
    expect(errorOf(lines, "line-10")).toMatch(/^10 .*for `custom_id`, got 5/);
    expect(errorOf(lines, "body")).toMatch(/^11 .*an object for `body`, got "x"/);
    expect(errorOf(lines, "type")).toMatch(/^12 .*`maxTokens`, got "many"/);
    expect(errorOf(lines, "typo")).toMatch(/^13 .*did you mean `maxTokens`/);
    expect(errorOf(lines, "both")).toMatch(/^14 .*one of `prompt` and `messages`/);
    expect(errorOf(lines, "line-15")).toMatch(/^15 .*The id "bom" was given to an earlier line/);
    expect(
      lines
        .filter(({ error }) => error === null)
        .map((line) => line.custom_id)
        .sort(),
    ).toEqual(["bom", "last"]);
    // What has an error has its result: nothing is left to do.
    const again = run(file, { output, resume: true });
    expect(await again.summary).toMatchObject({ done: 14, skipped: 14, errors: 12 });
    expect(again.engine.started).toEqual([]);
  });

  test("what an id looks like cannot make a line lost", async () => {
    const lines = [{ id: "line-2", prompt: "a" }, { prompt: "b" }, { id: "line-2", prompt: "c" }];
    const { output, summary } = run(lines);
    expect(await summary).toMatchObject({ done: 3, errors: 2 });
    expect(new Set(linesOf(output).map(({ custom_id }) => custom_id)).size).toBe(3);
  });

  test("what the engine fails with is the line's", async () => {
    const answer = async (text: string) => {
      if (text.endsWith("3")) throw new Error("no");
      return text;
    };
    const { output, summary } = run(prompts(10), { answer });
    expect(await summary).toMatchObject({ done: 10, errors: 1 });
    expect(errorOf(linesOf(output), "id-3")).toBe("4 ERR_INTERNAL: no");
  });
});

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
    await expect(run(prompts(10), { output, resume: true, maxTokens: 5 }).summary).rejects.toThrow(
      /the line or the options were changed/,
    );
    expect(linesOf(output)).toHaveLength(10);
    const note = "a note of mine\n";
    appendFileSync(output, ending === "jsonl" ? note : gzipSync(note));
    await expect(run(prompts(10), { output, resume: true }).summary).rejects.toThrow(
      /Line 11 of the output .* is no result of a run/,
    );
  });
});

test("a .gz input is unpacked, and one that is torn ends the run with what was before", async () => {
  const input = `${outputFile(folder)}.gz`;
  const lines = prompts(2000).map((line) => `${JSON.stringify(line)}\n`);
  writeFileSync(input, gzipSync(lines.join("")));
  expect(await run(input).summary).toMatchObject({ done: 2000 });
  truncateSync(input, 2000);
  const { output, summary } = run(input);
  await expect(summary).rejects.toThrow(/The input .* cannot be read: unexpected end of file/);
  expect(existsSync(`${output}.lock`)).toBe(false);
});

test("an input that is not there is an error before anything is written", async () => {
  const { output, summary } = run(`${folder}/nowhere`);
  await expect(summary).rejects.toMatchObject({ code: "ENOENT" });
  expect(existsSync(output)).toBe(false);
});

test("an output that is the input is refused, and stays as it is", async () => {
  const input = inputFile(folder, prompts(3));
  const before = readFileSync(input, "utf8");
  for (const options of [{ overwrite: true }, { resume: true }]) {
    await expect(run(input, { ...options, output: input }).summary).rejects.toThrow(/is the input/);
  }
  expect(readFileSync(input, "utf8")).toBe(before);
});

describe("two runs on one output", () => {
  test("are refused, also where the other is another process's", async () => {
    let release = () => {};
    const answer = (text: string) => new Promise<string>((done) => (release = () => done(text)));
    const { output, summary } = run(prompts(1), { answer });
    await new Promise((resolve) => setTimeout(resolve, 200));
    await expect(run(prompts(1), { output, resume: true }).summary).rejects.toThrow(
      new RegExp(`is being written by process ${process.pid} on`),
    );
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

describe("ended early", () => {
  const slow = (text: string, signal: AbortSignal) =>
    new Promise<string>((resolve, reject) => {
      const timer = setTimeout(resolve, 20, text);
      signal.addEventListener("abort", () => {
        clearTimeout(timer);
        reject(signal.reason);
      });
    });

  test("`finish` lets what runs come to its end, and `resume` does the rest", async () => {
    const finish = new AbortController();
    const input = inputFile(folder, prompts(100));
    const { engine, output, summary } = run(input, {
      answer: slow,
      finish: finish.signal,
      onProgress: () => finish.abort(),
    });
    const { done, interrupted } = await summary;
    expect(interrupted).toBe(true);
    expect(done).toBe(engine.started.length);
    expect(done).toBeLessThan(40);
    expect(linesOf(output)).toHaveLength(done);
    expect(await run(input, { output, resume: true }).summary).toMatchObject({ done: 100 });
    expect(new Set(sorted(output)).size).toBe(100);
  });

  test("`finish` does not wait for an input that does not come", async () => {
    const finish = new AbortController();
    async function* endless() {
      yield* prompts(3);
      await new Promise(() => {});
    }
    const { output, summary } = run(endless(), { finish: finish.signal });
    setTimeout(() => finish.abort(), 100);
    expect(await summary).toMatchObject({ done: 3, interrupted: true });
    expect(linesOf(output)).toHaveLength(3);
  });

  test("`signal` stops at once with its reason, and leaves no lock", async () => {
    const stop = new AbortController();
    const reason = new Error("enough");
    const { output, summary } = run(prompts(100), {
      answer: slow,
      signal: stop.signal,
      onProgress: () => stop.abort(reason),
    });
    await expect(summary).rejects.toBe(reason);
    expect(existsSync(`${output}.lock`)).toBe(false);
    const { length } = linesOf(output);
    expect(length).toBeGreaterThan(0);
    expect(length).toBeLessThan(100);
  });

  test("an error of the input comes after the results of what was before", async () => {
    function* failing() {
      yield* prompts(5);
      throw new Error("the source is dry");
    }
    const { output, summary } = run(failing());
    await expect(summary).rejects.toThrow("the source is dry");
    expect(linesOf(output)).toHaveLength(5);
  });
});
