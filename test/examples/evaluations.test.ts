// Each evaluation runs as a reader runs it, on the project's own data, and its numbers are computed a second time
// in a slow and independent way.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Context, Model, type Prompt, type PromptInput, renderChat } from "../../lib/index.js";
import { type End, runNode } from "../support/child.js";
import { MODEL, ROOT } from "../support/paths.js";

const programs = join(ROOT, "examples", "evaluations");
const data = (name: string) => join(programs, "data", name);
const lines = <Line>(file: string): Line[] =>
  readFileSync(file, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Line);

interface Metric {
  readonly value: number;
  readonly standardError: number | null;
  readonly count: number;
}
interface Report {
  readonly counts: Record<string, unknown>;
  readonly metrics: Record<string, Metric>;
}

let folder: string;
let model: Model;
let context: Context;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "cria-evaluations-"));
  model = await Model.load(MODEL);
  context = await model.createContext({ contextSize: 2048 });
});
afterAll(async () => {
  await model.dispose();
  rmSync(folder, { recursive: true });
});

const end = (name: string, args: readonly string[]): Promise<End> =>
  runNode([join(programs, `${name}.mjs`), MODEL, ...args]);

async function reported(name: string, args: readonly string[]): Promise<Report> {
  const { code, stdout, stderr } = await end(name, [...args, "--json"]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return JSON.parse(stdout) as Report;
}

/** The mean, and the standard deviation of a sample by the root of its size, from their definitions. */
function meanOf(values: readonly number[]): Metric {
  const count = values.length;
  let total = 0;
  for (const value of values) total += value;
  const value = total / count;
  let squares = 0;
  for (const one of values) squares += (one - value) ** 2;
  return { value, count, standardError: Math.sqrt(squares / (count - 1)) / Math.sqrt(count) };
}

function expectMetric(found: Metric | undefined, { value, standardError, count }: Metric): void {
  expect(found?.count).toBe(count);
  expect(found?.value).toBeCloseTo(value, 6);
  expect(found?.standardError).toBeCloseTo(standardError as number, 6);
}

/** What the model gives a token next, from its raw logits, in double precision. */
function logprobOf(logits: Float32Array, token: number): number {
  let highest = Number.NEGATIVE_INFINITY;
  for (const logit of logits) highest = Math.max(highest, logit);
  let all = 0;
  for (const logit of logits) all += Math.exp(logit - highest);
  return (logits[token] as number) - highest - Math.log(all);
}

describe("perplexity", () => {
  /** Every token of the window's end, one by one, by a sequence's own logits. */
  async function windowLogprobs(tokens: readonly number[], from: number): Promise<number[]> {
    await using sequence = await context.createSequence();
    await sequence.evaluate(tokens.slice(0, from));
    const logprobs: number[] = [];
    for (const token of tokens.slice(from)) {
      logprobs.push(logprobOf(await sequence.logits(), token));
      await sequence.evaluate([token]);
    }
    return logprobs;
  }

  test.each([
    // Of 64 tokens the first 33 stand before the first that counts.
    { stride: 0, starts: [0, 64], before: 33 },
    { stride: 20, starts: [0, 20], before: 44 },
  ])("is that of the logits, stride $stride", async ({ stride, starts, before }) => {
    const output = join(folder, `perplexity-${stride}.jsonl`);
    const args = ["--window", "64", "--stride", `${stride}`, "--output", output];
    const { metrics } = await reported("perplexity", [...args, "--limit", "2"]);
    const bos = model.specialTokens.bos as number;
    const text = readFileSync(data("perplexity.txt"), "utf8");
    const tokens = [bos, ...model.tokenize(text)];
    const expected: number[][] = [];
    for (const start of starts) {
      expected.push(await windowLogprobs([bos, ...tokens.slice(start + 1, start + 64)], before));
    }
    const [, ...windows] = lines<{ id: number; logprobs: number[] }>(output);
    for (const { id, logprobs } of windows) {
      expect(logprobs).toHaveLength(64 - before);
      for (const [at, logprob] of logprobs.entries()) {
        expect(logprob).toBeCloseTo(expected[id]?.[at] as number, 4);
      }
    }
    const loss = meanOf(expected.flat().map((logprob) => -logprob));
    const perplexity = Math.exp(loss.value);
    expect(metrics["nats per token"]?.value).toBeCloseTo(loss.value, 4);
    expect((metrics.perplexity?.value as number) / perplexity).toBeCloseTo(1, 4);
    expect((metrics.perplexity?.standardError as number) / perplexity).toBeCloseTo(
      loss.standardError as number,
      4,
    );
    expect(metrics.perplexity?.count).toBe(2 * (64 - before));
  });
});

describe("multiple choice", () => {
  interface Question {
    readonly question: string;
    readonly choices: readonly string[];
    readonly answer: number;
    readonly subject: string;
  }
  interface Chosen {
    readonly id: string;
    readonly chosen: number;
    readonly logprobs: number[];
    readonly probabilities: number[];
  }

  /**
   * Whole letters, also those of two tokens. Each place is evaluated from an empty cache, since a row that is
   * evaluated by itself rounds differently.
   */
  async function letterLogprobs(prompt: PromptInput, letters: readonly string[]) {
    const known = new Map<string, Float32Array>();
    const logitsBehind = async (path: readonly number[]) => {
      const key = path.join();
      const before = known.get(key);
      if (before !== undefined) return before;
      await using sequence = await context.createSequence();
      const start = typeof prompt === "string" ? [{ tokens: tokensOf(prompt) }] : prompt;
      await sequence.evaluate([
        ...(start as Prompt),
        ...(path.length > 0 ? [{ tokens: path }] : []),
      ]);
      const logits = await sequence.logits();
      known.set(key, logits);
      return logits;
    };
    const logprobs: number[] = [];
    for (const letter of letters) {
      const tokens = [...model.tokenize(letter)];
      let logprob = 0;
      for (const [at, token] of tokens.entries()) {
        logprob += logprobOf(await logitsBehind(tokens.slice(0, at)), token);
      }
      logprobs.push(logprob);
    }
    return logprobs;
  }
  const tokensOf = (text: string) => [...model.tokenize(text, { addBos: true })];

  function expectChosen(found: Chosen | undefined, logprobs: readonly number[]): void {
    const likeliest = logprobs.indexOf(Math.max(...logprobs));
    const all = logprobs.reduce((sum, one) => sum + Math.exp(one), 0);
    expect(found?.chosen).toBe(likeliest);
    for (const [at, logprob] of logprobs.entries()) {
      expect(found?.logprobs[at]).toBeCloseTo(logprob, 4);
      expect(found?.probabilities[at]).toBeCloseTo(Math.exp(logprob) / all, 4);
    }
  }

  test("MMLU's letters have the probabilities of the logits behind five examples", async () => {
    const output = join(folder, "mmlu.jsonl");
    const { metrics } = await reported("mmlu", ["--output", output]);
    const [, ...results] = lines<Chosen>(output);
    const shots = lines<Question>(data("mmlu-shots.jsonl"));
    const questions = lines<Question>(data("mmlu.jsonl"));
    const right: [string, number][] = [];
    for (const [index, { subject, question, choices, answer }] of questions.entries()) {
      let prompt = `The following are multiple choice questions (with answers) about ${subject.replace("_", " ")}.\n\n`;
      for (const shot of shots.filter((one) => one.subject === subject)) {
        const [a, b, c, d] = shot.choices;
        const letter = "ABCD"[shot.answer];
        prompt += `${shot.question}\nA. ${a}\nB. ${b}\nC. ${c}\nD. ${d}\nAnswer: ${letter}\n\n`;
      }
      const [a, b, c, d] = choices;
      prompt += `${question}\nA. ${a}\nB. ${b}\nC. ${c}\nD. ${d}\nAnswer:`;
      const logprobs = await letterLogprobs(prompt, [" A", " B", " C", " D"]);
      const found = results.find(({ id }) => id === `mmlu-${index}`);
      expectChosen(found, logprobs);
      right.push([subject, logprobs.indexOf(Math.max(...logprobs)) === answer ? 1 : 0]);
    }
    expectMetric(metrics.accuracy, meanOf(right.map(([, one]) => one)));
    const subjects = ["animal_keeping", "everyday_arithmetic"].map((name) =>
      meanOf(right.flatMap(([subject, one]) => (subject === name ? [one] : []))),
    ) as [Metric, Metric];
    const [one, other] = subjects;
    expectMetric(metrics["mean of subjects"], {
      count: 2,
      value: (one.value + other.value) / 2,
      standardError: Math.hypot(one.standardError as number, other.standardError as number) / 2,
    });
  });

  test("ARC's, also with digits for letters, three answers, and as a chat", async () => {
    const output = join(folder, "arc.jsonl");
    const args = ["--prompt", "chat", "--shots", "1", "--output", output];
    const { metrics } = await reported("arc", args);
    const [, ...results] = lines<Chosen>(output);
    interface Arc {
      readonly id: string;
      readonly question: { stem: string; choices: { text: string; label: string }[] };
      readonly answerKey: string;
    }
    const [shot] = lines<Arc>(data("arc-shots.jsonl"));
    const written = ({ question: { stem, choices } }: Arc) =>
      `Question: ${stem}\n${choices.map(({ text }, at) => `${"ABCD"[at]}. ${text}\n`).join("")}Answer:`;
    const right: number[] = [];
    for (const item of lines<Arc>(data("arc.jsonl"))) {
      const content = `${written(shot as Arc)} B\n\n${written(item)}`;
      const messages = [{ role: "user" as const, content }];
      const prompt = renderChat(messages, { model, date: "26 Jul 2024" });
      const { choices } = item.question;
      const logprobs = await letterLogprobs(prompt, ["A", "B", "C", "D"].slice(0, choices.length));
      expectChosen(
        results.find(({ id }) => id === item.id),
        logprobs,
      );
      const likeliest = logprobs.indexOf(Math.max(...logprobs));
      right.push(choices[likeliest]?.label === item.answerKey ? 1 : 0);
    }
    expectMetric(metrics.accuracy, meanOf(right));
  });

  test("a run that ended goes on, also with more questions, and one with other settings is refused", async () => {
    const output = join(folder, "resumed.jsonl");
    await reported("mmlu", ["--output", output, "--limit", "3"]);
    // As a kill in the middle of a line leaves it.
    writeFileSync(output, `${readFileSync(output, "utf8").trimEnd().slice(0, -9)}`);
    const sorted = (file: string) => readFileSync(file, "utf8").trim().split("\n").slice(1).sort();
    const other = await end("mmlu", ["--output", output, "--shots", "4"]);
    expect(other).toMatchObject({ code: 2, stdout: "" });
    expect(other.stderr).toMatch(/^mmlu: .* has results of another run \(shots was 5 and is 4\)/);
    await reported("mmlu", ["--output", output, "--limit", "5"]);
    await reported("mmlu", ["--output", join(folder, "whole.jsonl"), "--limit", "5"]);
    expect(sorted(output)).toEqual(sorted(join(folder, "whole.jsonl")));
    expect(sorted(output)).toHaveLength(5);
  });
});

interface AnswerLine {
  readonly custom_id: string;
  readonly response: {
    readonly body: {
      readonly choices: readonly [
        {
          readonly message: {
            readonly content: string | null;
            readonly tool_calls?: readonly { function: { name: string; arguments: string } }[];
          };
        },
      ];
    };
  };
}
const messageOf = (line: AnswerLine) => line.response.body.choices[0].message;

test("GSM8K: the scores are those of the answers in the output, which a second run goes on with", async () => {
  const questions = [
    "My number is 42. What is my number?",
    "Repeat after me: #### 12",
    "What do llamas eat?",
    "I have 17 llamas. How many llamas do I have?",
  ];
  const file = join(folder, "problems.jsonl");
  const output = join(folder, "gsm8k.jsonl");
  const write = (answers: readonly string[]) =>
    writeFileSync(
      file,
      questions
        .map((question, at) => JSON.stringify({ question, answer: `#### ${answers[at]}` }))
        .join("\n"),
    );
  const args = ["--data", file, "--max-tokens", "24", "--sequences", "2", "--output", output];
  write(["1", "1", "1", "1"]);
  await reported("gsm8k", [...args, "--shots", "0", "--limit", "2"]);
  const half = readFileSync(output, "utf8");
  await reported("gsm8k", [...args, "--shots", "0"]);
  expect(readFileSync(output, "utf8").startsWith(half)).toBe(true);
  const texts = questions.map((_, at) => {
    const line = lines<AnswerLine>(output).find(({ custom_id: id }) => id === `gsm8k-${at}`);
    return messageOf(line as AnswerLine).content as string;
  });
  // The last digits of each answer are made the right ones: so all that end in a number are right.
  const numbers = texts.map((text) => [...text.matchAll(/\d+/g)].at(-1)?.[0]);
  expect(numbers).toContain("42");
  expect(numbers).toContain(undefined);
  write(numbers.map((number) => number ?? "7777"));
  const { metrics, counts } = await reported("gsm8k", [...args, "--shots", "0"]);
  expectMetric(metrics["exact match, last number"], meanOf(numbers.map((one) => (one ? 1 : 0))));
  const marked = texts.map((text, at) =>
    text.split("#### ")[1]?.startsWith(numbers[at] ?? "-") ? 1 : 0,
  );
  expectMetric(metrics["exact match"], meanOf(marked));
  expect(counts).toEqual({ items: 4, errors: 0 });
});

test("IFEval: prompts and instructions are counted as their answers follow them", async () => {
  const prompts = [
    {
      about: "What is a llama?",
      ids: ["punctuation:no_comma", "length_constraints:number_words"],
      words: 3,
    },
    { about: "What do llamas eat?", ids: ["punctuation:no_comma"], words: 0 },
    { about: "Say hello.", ids: ["change_case:english_capital", "punctuation:no_comma"], words: 0 },
    { about: "Where do llamas live?", ids: ["length_constraints:number_words"], words: 500 },
  ];
  const file = join(folder, "instructions.jsonl");
  const written = prompts.map(({ about, ids, words }, at) => ({
    key: at,
    prompt: about,
    instruction_id_list: ids,
    kwargs: ids.map(() => ({ relation: "at least", num_words: words, keyword: null })),
  }));
  const unknown = { ...written[0], key: 99, instruction_id_list: ["language:response_language"] };
  writeFileSync(file, [...written, unknown].map((line) => JSON.stringify(line)).join("\n"));
  const output = join(folder, "ifeval.jsonl");
  const args = ["--data", file, "--max-tokens", "24", "--sequences", "2", "--output", output];
  const { metrics, counts } = await reported("ifeval", args);
  expect(counts).toEqual({ items: 4, errors: 0, "left out": 1 });
  const followed = prompts.map(({ ids, words }, at) => {
    const line = lines<AnswerLine>(output).find(({ custom_id: id }) => id === `ifeval-${at}`);
    const text = messageOf(line as AnswerLine).content as string;
    const checks: Record<string, boolean> = {
      "punctuation:no_comma": text.indexOf(",") === -1,
      "length_constraints:number_words":
        text.split(/[^A-Za-z0-9_]+/).filter(Boolean).length >= words,
      "change_case:english_capital": !/[a-z]/.test(text),
    };
    return ids.map((id) => (checks[id] ? 1 : 0) as number);
  });
  expectMetric(
    metrics["prompts, strict"],
    meanOf(followed.map((all) => (all.every((one) => one === 1) ? 1 : 0))),
  );
  const flat = followed.flat();
  const share = flat.reduce((sum, one) => sum + one, 0) / flat.length;
  expect(share).toBeGreaterThan(0);
  expect(share).toBeLessThan(1);
  // Instructions of one prompt stand or fall together: each prompt's sum of deviations is one observation.
  const clusters = followed.map((all) => all.reduce((sum, one) => sum + (one - share), 0));
  const squares = clusters.reduce((sum, one) => sum + one * one, 0);
  expectMetric(metrics["instructions, strict"], {
    value: share,
    count: flat.length,
    standardError: Math.sqrt((squares * clusters.length) / (clusters.length - 1)) / flat.length,
  });
  const four = ["prompts, strict", "prompts, loose", "instructions, strict", "instructions, loose"];
  const values = four.map((name) => metrics[name]?.value as number);
  const mean = values.reduce((sum, one) => sum + one, 0) / 4;
  expect(metrics["mean of the four"]?.value).toBeCloseTo(mean, 9);
});

test("BFCL: the calls in the output are the wanted ones where the scores say so", async () => {
  const output = join(folder, "bfcl.jsonl");
  const args = ["--max-tokens", "60", "--sequences", "4", "--output", output];
  const { metrics } = await reported("bfcl", args);
  const calls = new Map(
    lines<AnswerLine>(output).map((line) => [
      line.custom_id,
      (messageOf(line).tool_calls ?? []).map(({ function: called }) => [
        called.name,
        JSON.parse(called.arguments),
      ]),
    ]),
  );
  const weather = (city: string) => ["get_weather", { city }];
  const find = (name: string) => ["find_llama", { name }];
  expect(calls.get("simple_0#1")).toEqual([weather("Lisbon")]);
  const right: Record<string, readonly number[]> = {
    simple: [1, isDeep(calls.get("simple_1#1"), [find("Luna")]), 0, 0],
    multiple: [isDeep(calls.get("multiple_0#1"), [weather("Rome")]), 0],
    irrelevance: [isDeep(calls.get("irrelevance_0#1"), [])],
    // One that took its step, and then answered in words.
    multi_step: [isDeep(calls.get("multi_step_0#2"), []), isDeep(calls.get("multi_step_1#3"), [])],
  };
  expect(calls.get("multi_step_0#1")).toEqual([weather("Lisbon")]);
  for (const [category, values] of Object.entries(right)) {
    const sum = values.reduce((total, one) => total + one, 0);
    expect(metrics[`  ${category}`]).toMatchObject({
      value: sum / values.length,
      count: values.length,
    });
  }
  const shares = Object.entries(metrics).flatMap(([name, { value }]) =>
    name.startsWith("  ") ? [value] : [],
  );
  expect(shares).toHaveLength(6);
  const mean = shares.reduce((total, one) => total + one, 0) / 6;
  expect(metrics["mean of categories"]?.value).toBeCloseTo(mean, 9);
});

const isDeep = (found: unknown, wanted: unknown) =>
  JSON.stringify(found) === JSON.stringify(wanted) ? 1 : 0;

describe("what is typed wrongly is told in a line", () => {
  test.each([
    ["mmlu", ["--shot", "5"], /Unknown option '--shot'/],
    ["mmlu", ["--shots", "-1"], /--shots/],
    ["mmlu", ["--shots", "6"], /There are 5 examples of "animal_keeping", and --shots asks for 6/],
    ["arc", ["--prompt", "poem"], /Expected completion or chat for --prompt, got "poem"/],
    ["arc", ["--limit", "two"], /Expected a whole number of 1 or more for --limit, got "two"/],
    [
      "perplexity",
      ["--window", "64", "--stride", "64"],
      /Expected a --stride below the --window of 64/,
    ],
    [
      "perplexity",
      ["--window", "1024", "--limit", "1", "--data", data("mmlu.jsonl")],
      /too few for a window/,
    ],
    ["gsm8k", ["--data", join(ROOT, "nowhere.jsonl")], /nowhere\.jsonl/],
    ["gsm8k", ["--data", data("bfcl.jsonl")], /bfcl\.jsonl:1: expected a text as "question"/],
    ["bfcl", ["--data", data("ifeval.jsonl")], /ifeval\.jsonl:1: expected a text as "id"/],
    ["ifeval", ["--data", data("perplexity.txt")], /perplexity\.txt:1 is no JSON/],
  ])("%s %j", async (name, args, told) => {
    const { code, stdout, stderr } = await end(name, args);
    expect({ code: code === 0, stdout }).toEqual({ code: false, stdout: "" });
    expect(stderr).toMatch(told);
    expect(stderr).not.toMatch(/\n {4}at /);
  });
});
