import { existsSync, statSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { inputFile, linesOf, outputFile, temporaryFolder } from "../support/batch.js";
import { cria, DEMO_MODEL, finish, start } from "../support/cli.js";

const folder = temporaryFolder();
const LINES = 2000;
const KILLS = 20;

const SUBJECTS = ["a llama", "the weather in Lima", "two and three", "my name", "a small village"];
const TOOLS = [
  {
    type: "function",
    function: {
      name: "get_weather",
      parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
    },
  },
];
const SCHEMA = {
  type: "object",
  properties: { label: { enum: ["good", "bad"] } },
  required: ["label"],
};

/** Of every kind, and some that are no request. */
function line(index: number): object | string {
  const subject = `${SUBJECTS[index % SUBJECTS.length]} number ${index % 37}`;
  const openai = (url: string, body: object) => ({
    ...{ custom_id: `request-${index}`, method: "POST", url: `/v1/${url}` },
    body: { model: "demo", ...body },
  });
  const system = { role: "system", content: `You answer in style ${index % 3}. Be brief.` };
  const user = { role: "user", content: `Tell me about ${subject}.` };
  const messages = [system, user];
  switch (index % 10) {
    case 0:
      return openai("embeddings", { input: [subject, user.content] });
    case 1:
      return openai("moderations", { input: `How do I steal ${subject}?` });
    case 2:
      return openai("chat/completions", { messages, tools: TOOLS, max_tokens: 12 });
    case 3:
      return openai("completions", { prompt: `Once upon a time, ${subject}`, max_tokens: 6, n: 2 });
    case 4:
      return {
        id: `simple-${index}`,
        prompt: `There was ${subject}`,
        maxTokens: 5,
        temperature: 1,
      };
    case 5:
      return openai("chat/completions", {
        messages,
        response_format: { type: "json_schema", json_schema: { name: "x", schema: SCHEMA } },
      });
    case 6:
      return { messages, maxTokens: 4, logprobs: 2 };
    case 7:
      return index % 20 === 7 ? `{"id": "torn-${index}"` : { id: `bad-${index}`, promt: "x" };
    default:
      return openai("chat/completions", { messages, max_tokens: 8 });
  }
}

const input = Array.from({ length: LINES }, (_, index) => line(index));
const args = (file: string, output: string) => [
  ...["batch", DEMO_MODEL, file, "-o", output, "--temperature", "0", "--sequences", "8"],
  ...["--context-size", "512", "--guard-variant", "llama-guard-3-1b", "--quiet"],
];

test("killed at 20 moments, it ends with every id once, as undisturbed", async () => {
  const file = inputFile(folder, input);
  const whole = outputFile(folder);
  const undisturbed = await cria(args(file, whole));
  const { size } = statSync(whole);
  expect(undisturbed).toMatchObject({
    code: 1,
    stderr: `cria: 200 of ${LINES} lines have an error (${whole})\n`,
  });
  const output = outputFile(folder);
  const lengths: number[] = [];
  for (let kill = 0; kill < KILLS; kill++) {
    const child = start([...args(file, output), "--resume"]);
    const end = finish(child);
    // After so much has been written, spread over the whole run.
    const enough = Math.floor((size * kill) / (KILLS + 1));
    while (child.exitCode === null && lengthOf(output) < enough) await sleep(5);
    child.kill("SIGKILL");
    await end;
    lengths.push(lengthOf(output));
  }
  expect(new Set(lengths).size).toBeGreaterThan(KILLS / 3);
  await cria([...args(file, output), "--resume"]);
  const ids = linesOf(output).map(({ custom_id }) => custom_id);
  expect(ids).toHaveLength(LINES);
  expect(new Set(ids).size).toBe(LINES);
  const [ended, expected] = [byId(output), byId(whole)];
  for (const [id, text] of expected) {
    if (!text.includes('"object":"embedding"')) expect(ended.get(id)).toBe(text);
    else expectNear(ended.get(id) as string, text);
  }
}, 900_000);

const lengthOf = (file: string) => statSync(file, { throwIfNoEntry: false })?.size ?? 0;

function byId(file: string): Map<string, string> {
  return new Map(linesOf(file).map((line) => [line.custom_id, JSON.stringify(line)]));
}

/** Which texts are embedded together changes roundings (flash attention's are to 16 bits), and no more. */
function expectNear(text: string, expected: string): void {
  const vectors = (line: string) =>
    (JSON.parse(line).response.body.data as { embedding: number[] }[]).map((one) => one.embedding);
  const [all, reference] = [vectors(text), vectors(expected)];
  expect(all.map(({ length }) => length)).toEqual(reference.map(({ length }) => length));
  for (const [index, vector] of all.entries()) {
    // Of unit vectors, so this is their cosine.
    const product = (sum: number, value: number, at: number) =>
      sum + value * (reference[index]?.[at] as number);
    expect(vector.reduce(product, 0)).toBeGreaterThan(0.999);
  }
}

test("Ctrl-C finishes what runs, says how to go on, and the rest is the next run's", async () => {
  const file = inputFile(folder, input.slice(0, 600));
  const output = outputFile(folder);
  const child = start(args(file, output).filter((arg) => arg !== "--quiet"));
  const end = finish(child);
  while (lengthOf(output) === 0) await sleep(5);
  child.kill("SIGINT");
  const { code, stderr } = await end;
  expect(code).toBe(130);
  expect(stderr).toMatch(/finishing what runs .*interrupted: --resume goes on/s);
  const { length } = linesOf(output);
  expect(length).toBeLessThan(600);
  expect(existsSync(`${output}.lock`)).toBe(false);
  await cria([...args(file, output), "--resume"]);
  expect(new Set(linesOf(output).map(({ custom_id }) => custom_id)).size).toBe(600);
}, 600_000);
