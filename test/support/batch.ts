import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import type { BatchOutputLine } from "../../lib/batch/batch-types.js";
import type { Answer, BatchEngine, PreparedRequest } from "../../lib/batch/engine/batch-engine.js";
import type { BatchPlan } from "../../lib/batch/input/request-plans.js";
import { runWith } from "../../lib/batch/run-batch.js";

/** A folder of the test file's own, gone when it ends. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "cria-batch-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

let files = 0;

/** A new file of these lines; objects are JSON. */
export function inputFile(folder: string, lines: readonly (object | string)[]): string {
  const file = join(folder, `input-${files++}.jsonl`);
  const texts = lines.map((line) => (typeof line === "string" ? line : JSON.stringify(line)));
  writeFileSync(file, texts.map((text) => `${text}\n`).join(""));
  return file;
}

export function outputFile(folder: string, ending = "jsonl"): string {
  return join(folder, `output-${files++}.${ending}`);
}

export function linesOf(file: string): BatchOutputLine[] {
  const bytes = readFileSync(file);
  const text = (file.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString();
  expect(text === "" || text.endsWith("\n")).toBe(true);
  return text
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as BatchOutputLine);
}

/** Comparable whatever the order. */
export function sorted(file: string): string[] {
  return linesOf(file)
    .map((line) => JSON.stringify(line))
    .sort();
}

export function errorOf(lines: readonly BatchOutputLine[], id: string): string {
  const line = lines.find(({ custom_id }) => custom_id === id);
  return line?.error ? `${line.error.line} ${line.error.code}: ${line.error.message}` : "none";
}

export interface StubOptions {
  readonly capacity?: number;
  /** What a request comes to. Default: its prompt again, at the next turn of the event loop. */
  readonly answer?: (prompt: string, signal: AbortSignal) => Promise<string>;
}

/** An engine of no model: answers prompts, and keeps the order in which they came. */
export class StubEngine implements BatchEngine {
  readonly started: string[] = [];
  running = 0;
  mostRunning = 0;
  readonly #options: StubOptions;

  constructor(options: StubOptions = {}) {
    this.#options = options;
  }

  capacity(): number {
    return this.#options.capacity ?? 8;
  }

  prepare(plan: BatchPlan, { seed }: { readonly seed: number }): PreparedRequest {
    const prompt = plan.kind === "completion" ? String(plan.prompts[0]) : plan.kind;
    const lane = plan.kind === "embedding" ? "embedding" : "generation";
    return { lane, prefix: prompt, start: (signal) => this.#start(prompt, seed, signal) };
  }

  async #start(prompt: string, seed: number, signal: AbortSignal): Promise<Answer> {
    this.started.push(prompt);
    this.running += 1;
    this.mostRunning = Math.max(this.mostRunning, this.running);
    try {
      const { answer = (text: string) => new Promise<string>((done) => setImmediate(done, text)) } =
        this.#options;
      const text = await answer(prompt, signal);
      return { body: { text, seed }, promptTokens: 1, cachedTokens: 0, completionTokens: 2 };
    } finally {
      this.running -= 1;
    }
  }
}

export type StubRunOptions = Partial<Parameters<typeof runWith>[0]> & StubOptions;

/** What runs files of a folder with an engine of no model. */
export function stubRunner(folder: string) {
  return (
    input: Parameters<typeof runWith>[0]["input"],
    { capacity, answer, ...more }: StubRunOptions = {},
  ) => {
    const engine = new StubEngine({ ...(capacity && { capacity }), ...(answer && { answer }) });
    const output = more.output ?? outputFile(folder);
    const summary = runWith({ input, engine, ...more, output });
    return { engine, output, summary };
  };
}

export function prompts(count: number): { id: string; prompt: string }[] {
  return Array.from({ length: count }, (_, i) => ({ id: `id-${i}`, prompt: `prompt ${i}` }));
}
