import { hashOf, IdTable } from "../../batch/input/custom-ids.js";
import { openInput } from "../../batch/input/line-source.js";
import { isPlainObject } from "../../internal/checks.js";
import { show } from "../../internal/errors.js";
import type { Line } from "../../internal/lines.js";
import type { BatchEndpoint, BatchProblem } from "./batch-object.js";

/** What the lines of a batch say together. */
export interface CheckedLines {
  readonly total: number;
  /** The model that all of them name; undefined where none does. */
  readonly model: string | undefined;
  /** Empty where the batch can run. What is wrong with a body is the error of its line. */
  readonly problems: readonly BatchProblem[];
}

/** More are not told: the first ones say what is wrong. */
const MAX_PROBLEMS = 100;

/** Reads the lines of a batch before it runs, as OpenAI's API does: they go to one route and one model. */
export async function checkLines(
  path: string,
  endpoint: BatchEndpoint,
  signal: AbortSignal,
): Promise<CheckedLines> {
  const reader = new LineReader(endpoint);
  const source = await openInput(path);
  try {
    for await (const line of source) {
      if (signal.aborted) break;
      reader.read(line);
      if (reader.problems.length >= MAX_PROBLEMS) break;
    }
  } finally {
    await source.close();
  }
  const { total, model, problems } = reader;
  if (total > 0 || signal.aborted) return { total, model, problems };
  return { total, model, problems: [problem("empty_file", "The file holds no request")] };
}

class LineReader {
  readonly problems: BatchProblem[] = [];
  readonly #endpoint: BatchEndpoint;
  readonly #ids = new IdTable();
  total = 0;
  model: string | undefined;

  constructor(endpoint: BatchEndpoint) {
    this.#endpoint = endpoint;
  }

  read({ number: line, text, problem: unreadable }: Line): void {
    this.total += 1;
    const tell = (code: string, message: string, param: string | null = null) =>
      this.problems.push(problem(code, message, { line, param }));
    if (unreadable !== undefined) return void tell("invalid_json_line", `Not read: ${unreadable}`);
    let request: unknown;
    try {
      request = JSON.parse(text);
    } catch {
      // It is told below.
    }
    if (!isPlainObject(request)) {
      return void tell("invalid_json_line", "The line is not a JSON object");
    }
    const { custom_id, url, body } = request;
    if (typeof custom_id !== "string" || custom_id === "") {
      tell("missing_required_parameter", "The line has no `custom_id`", "custom_id");
    } else if (this.#ids.meet(custom_id, hashOf(text)) !== "new") {
      tell("duplicate_custom_id", `An earlier line has this id, too`, "custom_id");
    }
    if (url !== this.#endpoint) {
      const got = show(url);
      tell("mismatched_url", `Expected ${this.#endpoint}, as of the batch, got ${got}`, "url");
    }
    if (!isPlainObject(body)) {
      tell("missing_required_parameter", "The line has no `body`, an object", "body");
      return;
    }
    this.#readModel(body.model, tell);
  }

  #readModel(named: unknown, tell: (code: string, message: string, param: string) => void): void {
    const model = typeof named === "string" ? named : undefined;
    if (this.total === 1) this.model = model;
    else if (model !== this.model) {
      const expected = this.model === undefined ? "none" : show(this.model);
      tell(
        "mismatched_model",
        `Expected one model for all lines, which is ${expected} before, got ${show(named)}`,
        "body.model",
      );
    }
  }
}

export function problem(
  code: string,
  message: string,
  { line = null, param = null }: { line?: number | null; param?: string | null } = {},
): BatchProblem {
  return { code, message, param, line };
}
