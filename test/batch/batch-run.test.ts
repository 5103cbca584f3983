import {
  appendFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import type { BatchProgress } from "../../lib/batch/batch-types.js";
import type { BatchEngine } from "../../lib/batch/engine/batch-engine.js";
import { Output } from "../../lib/batch/output/batch-output.js";
import { CriaError } from "../../lib/internal/errors.js";
import {
  errorOf,
  inputFile,
  linesOf,
  outputFile,
  prompts,
  sorted,
  stubRunner,
  temporaryFolder,
} from "../support/batch.js";

const folder = temporaryFolder();
const run = stubRunner(folder);

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

test.each(["ERR_DEVICE_LOST", "ERR_WORKER_UNREACHABLE"] as const)(
  "%s ends the run, and a second one has what was left",
  async (code) => {
    let lost = true;
    const answer = async (text: string) => {
      if (lost && text.endsWith("5")) throw new CriaError(code, "gone");
      return text;
    };
    const { output, summary } = run(prompts(100), { answer, capacity: 1 });
    await expect(summary).rejects.toMatchObject({ code });
    expect(linesOf(output).filter(({ error }) => error !== null)).toEqual([]);
    lost = false;
    const again = run(prompts(100), { answer, output, resume: true });
    expect(await again.summary).toMatchObject({ done: 100, errors: 0 });
  },
);

test("a full queue is nobody's result: the run ends, and a second one has what was left", async () => {
  let full = true;
  const answer = async (text: string) => {
    if (full && text.endsWith("5")) throw new CriaError("ERR_QUEUE_FULL", "full");
    return text;
  };
  const { output, summary } = run(prompts(10), { answer, capacity: 1 });
  await expect(summary).rejects.toMatchObject({ code: "ERR_QUEUE_FULL" });
  expect(linesOf(output).filter(({ error }) => error !== null)).toEqual([]);
  full = false;
  const again = run(prompts(10), { answer, output, resume: true });
  expect(await again.summary).toMatchObject({ done: 10, errors: 0 });
});

describe("results that are long", () => {
  const answered = (body: object) => async () => ({
    ...{ body, promptTokens: 1, cachedTokens: 0, completionTokens: 1 },
  });
  const engineOf = (bodyOf: (prompt: string) => object): BatchEngine => ({
    capacity: () => 4,
    prepare: (plan) => {
      const prompt = plan.kind === "completion" ? String(plan.prompts[0]) : "";
      return { lane: "generation", prefix: "", start: answered(bodyOf(prompt)) };
    },
  });

  test("one that is no text any more is the error of its line", async () => {
    const tooLong = {
      get text(): string {
        throw new RangeError("Invalid string length"); // as JSON.stringify beyond 512 MB
      },
    };
    const engine = engineOf((prompt) => (prompt.endsWith("1") ? tooLong : { text: "" }));
    const { output, summary } = run(prompts(3), { engine });
    expect(await summary).toMatchObject({ done: 3, errors: 1 });
    expect(errorOf(linesOf(output), "id-1")).toMatch(/^2 ERR_INVALID_ARGUMENT: .*in several lines/);
  });

  test("one that could not be read again is an error, too", async () => {
    const { byteLength } = Buffer;
    const long = jest.spyOn(Buffer, "byteLength").mockImplementation((...given) => {
      const isLong =
        String(given[0]).includes('"id-1"') && String(given[0]).includes('"error":null');
      return byteLength(...given) + (isLong ? 2 ** 28 : 0);
    });
    const { output, summary } = run(prompts(3), { engine: engineOf(() => ({ text: "" })) });
    expect(await summary.finally(() => long.mockRestore())).toMatchObject({ done: 3, errors: 1 });
    expect(errorOf(linesOf(output), "id-1")).toMatch(/^2 ERR_INVALID_ARGUMENT: .*256 MiB/);
  });

  test("what else cannot be written is an error, and what cannot be begun ends the run alone", async () => {
    const cyclic: { self?: object } = {};
    cyclic.self = cyclic;
    const { summary } = run(prompts(3), { engine: engineOf(() => cyclic) });
    expect(await summary).toMatchObject({ done: 3, errors: 3 });
    const capacity = () => {
      throw new Error("no capacity");
    };
    const broken = { ...engineOf(() => ({})), capacity };
    await expect(run(prompts(3), { engine: broken }).summary).rejects.toThrow("no capacity");
  });

  test("many that are ready together are written in pieces, each whole", async () => {
    const append = jest.spyOn(Output.prototype, "append");
    const engine = engineOf(() => ({ text: "x".repeat(6_000_000) }));
    const { output, summary } = run(prompts(12), { engine, ordered: true });
    expect(await summary).toMatchObject({ done: 12, errors: 0 });
    const lengths = append.mock.calls.map(([text]) => text.length);
    append.mockRestore();
    expect(Math.max(...lengths)).toBeLessThan(2 ** 24);
    expect(linesOf(output)).toHaveLength(12);
  });
});

test("a model that is gone while lines are prepared ends the run", async () => {
  const prepare = () => {
    throw new CriaError("ERR_DISPOSED", "gone");
  };
  const { output, summary } = run(prompts(100), { engine: { capacity: () => 1, prepare } });
  await expect(summary).rejects.toMatchObject({ code: "ERR_DISPOSED" });
  expect(linesOf(output)).toEqual([]);
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
    expect(errorOf(lines, "line-2")).toMatch(/^2 ERR_INVALID_ARGUMENT: The line is not JSON/);
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

  test("half a character is no id", async () => {
    const { output, summary } = run(["\uD800", "\uD801"].map((id) => ({ id, prompt: "x" })));
    expect(await summary).toMatchObject({ done: 2, errors: 2 });
    expect(errorOf(linesOf(output), "line-2")).toMatch(/^2 .*characters for `id`, got/);
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

test("wrong options are told in its words", async () => {
  const wrong = [{ maxTokens: 0 }, { stop: "" }, { tools: 5 }];
  for (const options of wrong) {
    await expect(run(prompts(1), options as object).summary).rejects.toMatchObject({
      code: "ERR_INVALID_ARGUMENT",
      message: expect.stringContaining(`options.${Object.keys(options)[0]}`),
    });
  }
});

test("the part that is done counts lines, however small the file is", async () => {
  const parts: (number | undefined)[] = [];
  const onProgress = ({ fraction }: BatchProgress) => parts.push(fraction);
  const answer = (text: string) => new Promise<string>((done) => setTimeout(done, 5, text));
  const options = { onProgress, answer, capacity: 4 };
  const file = inputFile(folder, prompts(700));
  await run(file, options).summary;
  expect(parts[0]).toBeLessThan(0.1);
  expect(parts.at(-1)).toBe(1);
  expect(parts).toEqual([...parts].sort((a, b) => (a ?? 0) - (b ?? 0)));
  const zipped = `${outputFile(folder)}.gz`;
  writeFileSync(zipped, gzipSync(readFileSync(file)));
  parts.length = 0;
  await run(zipped, options).summary;
  expect(parts[0]).toBeLessThan(0.1);
  parts.length = 0;
  await run(prompts(500), { ...options, limit: 200 }).summary;
  expect(parts[0]).toBeLessThan(0.2);
  expect(parts.at(-1)).toBe(1);
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

test("an input is closed, read or not", async () => {
  const input = inputFile(folder, prompts(3));
  const { output, summary } = run(input, { limit: 0 });
  await summary;
  appendFileSync(output, "a note of mine");
  await expect(run(input, { output }).summary).rejects.toThrow(/exists/);
  await run(input).summary;
  if (process.platform !== "linux") return;
  const isOpen = () =>
    readdirSync("/proc/self/fd")
      .map((fd) => `/proc/self/fd/${fd}`)
      .some((fd) => existsSync(fd) && readlinkSync(fd) === realpathSync(input));
  while (isOpen()) await sleep(5);
});

describe("ended early", () => {
  const slow = (text: string, signal: AbortSignal) => sleep(20, text, { signal });

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

  test("in order, `finish` loses nothing that was answered", async () => {
    const finish = new AbortController();
    let answered = 0;
    const answer = async (text: string) => {
      answered += 1;
      if (answered === 7) finish.abort();
      return text;
    };
    // The first line leaves last: others that begin alike go before it.
    const input = ["zzz", ...Array(40).fill("aaa"), "zzz", ...Array(900).fill("bbb")];
    const lines = input.map((prompt, index) => ({ id: `id-${index}`, prompt }));
    const { engine, output, summary } = run(lines, {
      ...{ answer, ordered: true, capacity: 2, finish: finish.signal },
    });
    const { done, interrupted } = await summary;
    expect(interrupted).toBe(true);
    expect(done).toBe(engine.started.length);
    expect(done).toBeLessThan(100);
    expect(linesOf(output).map(({ custom_id }) => custom_id)).toEqual(
      lines.slice(0, done).map(({ id }) => id),
    );
    const again = run(lines, { output, ordered: true, resume: true });
    expect(await again.summary).toMatchObject({ done: lines.length, skipped: done });
  });

  test("`finish` that comes when all lines are begun interrupts nothing", async () => {
    const finish = new AbortController();
    const answer = (text: string, signal: AbortSignal) => {
      if (text === "prompt 3") setTimeout(() => finish.abort(), 5);
      return slow(text, signal);
    };
    const { summary } = run(prompts(4), { answer, finish: finish.signal });
    expect(await summary).toMatchObject({ done: 4, interrupted: false });
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
