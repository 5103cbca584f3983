import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { Ajv2020 } from "ajv/dist/2020.js";
import {
  ChatSession,
  type Context,
  defineTool,
  Model,
  type ParsedToolCall,
  Sampler,
  type Tool,
} from "../../lib/index.js";
import { callSchemas } from "../support/call-schemas.js";
import { writeRandomModel } from "../support/random-model.js";

// A model of random weights says anything that its grammar lets it say.

const SEQUENCES = 8;
const TOOLS_AT_ONCE = 3;

const ANYTHING = { temperature: 1.5, topK: 0, topP: 1, minP: 0 };

const ajv = new Ajv2020({ strict: false, validateFormats: false });
const names = [...callSchemas.keys()];
let directory: string;
let model: Model;
let context: Context;
/** Made likelier where it may come, so that not so many calls stand behind each other. */
let endOfTurn: number;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "cria-random-"));
  const path = join(directory, "random.gguf");
  await writeRandomModel(path, 20_07);
  model = await Model.load(path);
  endOfTurn = model.specialTokens.eot as number;
  context = await model.createContext({
    contextSize: 2048,
    sequences: SEQUENCES,
    batchThreads: 1,
  });
});
afterAll(async () => {
  await model?.dispose();
  await rm(directory, { recursive: true, force: true });
});

interface Executed {
  readonly callId: string;
  readonly name: string;
  readonly args: unknown;
}

interface Outcome {
  readonly seed: number;
  readonly calls: readonly ParsedToolCall[];
  readonly executed: readonly Executed[];
  /** What is no call: of an answer that was cut off, its rest. */
  readonly rest: string;
}

/** The first answer of a turn, which is stopped when its calls have begun. */
async function answer(seed: number, maxTokens: number): Promise<Outcome> {
  const executed: Executed[] = [];
  let stop = () => {};
  const tools = Array.from({ length: TOOLS_AT_ONCE }, (_, i): Tool => {
    const name = names[(seed * TOOLS_AT_ONCE + i) % names.length] as string;
    return defineTool({
      name,
      parameters: callSchemas.get(name) as object,
      execute: (args, { callId }) => {
        executed.push({ callId, name, args });
        setImmediate(stop);
        return new Promise(() => {});
      },
    });
  });
  const sampler = new Sampler({ ...ANYTHING, logitBias: { [endOfTurn]: 3 }, seed });
  const chat = new ChatSession(context, { format: "llama-3.1", date: "x", tools, sampler });
  const turn = chat.send("x", { toolChoice: "required", maxTokens });
  stop = () => turn.cancel();
  const calls: ParsedToolCall[] = [];
  let rest = "";
  for await (const event of turn) {
    if (event.type === "tool-call") calls.push(event.call);
    else if (event.type === "text") rest += event.text;
    else if (event.type === "tool-result") turn.cancel();
  }
  return { seed, calls, executed, rest };
}

function answers(count: number, maxTokens: (seed: number) => number): Promise<Outcome[]> {
  return Promise.all(Array.from({ length: count }, (_, i) => answer(i + 1, maxTokens(i + 1))));
}

/** What is wrong with the calls of an answer, and with what was done of them. */
function faults({ seed, calls, executed }: Outcome): string[] {
  const sound = calls.filter(({ problem }) => problem === undefined);
  const misfits = sound.flatMap(({ known, function: { name, arguments: args } }) => {
    const fits = known && ajv.validate(callSchemas.get(name) as object, JSON.parse(args));
    return fits ? [] : [`${seed}: ${name} ${args}: ${ajv.errorsText()}`];
  });
  const told = sound.map(({ id, function: { name, arguments: args } }) => [id, name, args]);
  const done = executed.map(({ callId, name, args }) => [callId, name, args]);
  const same = isDeepStrictEqual(
    told.map(([id, name, args]) => [id, name, JSON.parse(args as string)]),
    done,
  );
  return same ? misfits : [...misfits, `${seed}: ${JSON.stringify({ told, done })}`];
}

test("1,000 answers at temperature 1.5 are 1,000 calls that fit their schemas", async () => {
  expect(names.length).toBeGreaterThanOrEqual(20);
  const all = await answers(1000, () => 1500);
  expect(all.flatMap(faults)).toEqual([]);
  const complete = all.filter(({ calls, rest }) => calls.length > 0 && rest === "");
  expect(complete).toHaveLength(1000);
  const called = new Set(all.flatMap(({ executed }) => executed.map(({ name }) => name)));
  expect([...called].sort()).toEqual([...names].sort());
});

test("a call that was cut off is not executed, those before it are", async () => {
  const all = await answers(300, (seed) => 1 + (seed % 60));
  expect(all.flatMap(faults)).toEqual([]);
  const cutOff = all.filter(({ calls, rest }) => calls.length === 0 || rest !== "");
  expect(cutOff.length).toBeGreaterThan(100);
  for (const { calls, executed, rest } of cutOff) {
    const broken = calls.filter(({ problem }) => problem !== undefined);
    expect(rest !== "" || broken.length > 0).toBe(true);
    expect(executed).toHaveLength(calls.length - broken.length);
  }
});
