// Results of what is scored without generating, a line each, so that a run that ended can go on. (What is
// generated has runBatch's own output.)

import { open, readFile } from "node:fs/promises";
import { UsageError } from "./evaluation-command.mjs";

/**
 * Scores the items that the file does not have yet, `width` at a time, and returns all results by id.
 *
 * @param items with an `id` each
 * @param settings what results depend on besides their item: another run's are refused
 * @param score `(item) => result`, a plain object
 */
export async function scoreItems({ items, output, settings, score, width = 1, signal, progress }) {
  const file = output === undefined ? undefined : await ScoredFile.open(output, settings);
  const results = new Map(file?.results);
  const waiting = items.filter(({ id }) => !results.has(id));
  const total = items.length;
  let failed = false;
  const lane = async () => {
    while (waiting.length > 0 && !signal?.aborted && !failed) {
      const item = waiting.shift();
      try {
        const result = await score(item);
        await file?.append({ id: item.id, ...result });
        results.set(item.id, result);
        progress?.(total - waiting.length, total);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  try {
    // All of them come to their end before the file is closed.
    const ends = await Promise.allSettled(Array.from({ length: width }, lane));
    for (const { reason } of ends.filter(({ status }) => status === "rejected")) throw reason;
  } finally {
    await file?.close();
  }
  return { results, interrupted: items.some(({ id }) => !results.has(id)) };
}

class ScoredFile {
  /** One line after the other, whoever has one. */
  #last = Promise.resolve();

  constructor(file, results) {
    this.file = file;
    this.results = results;
  }

  static async open(path, settings) {
    const text = await readFile(path, "utf8").catch((error) => {
      if (error.code === "ENOENT") return "";
      throw error;
    });
    // A line without its end was cut off by whatever ended that run.
    const whole = text.slice(0, text.lastIndexOf("\n") + 1);
    const [first, ...lines] = whole.split("\n").filter((line) => line !== "");
    const file = await open(path, text === "" ? "w" : "r+");
    try {
      if (first === undefined && text !== "") refuse(path, "holds no results of an evaluation");
      if (first !== undefined) checkSettings(path, parsed(path, first).settings, settings);
      const results = new Map(
        lines.map((line) => {
          const { id, ...result } = parsed(path, line);
          return [id, result];
        }),
      );
      await file.truncate(Buffer.byteLength(whole));
      const opened = new ScoredFile(file, results);
      opened.at = Buffer.byteLength(whole);
      if (first === undefined) await opened.append({ settings });
      return opened;
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  append(result) {
    const bytes = Buffer.from(`${JSON.stringify(result)}\n`);
    this.#last = this.#last.then(async () => {
      await this.file.write(bytes, 0, bytes.length, this.at);
      this.at += bytes.length;
    });
    return this.#last;
  }

  async close() {
    await this.file.close();
  }
}

function parsed(path, line) {
  try {
    return JSON.parse(line);
  } catch {
    return refuse(path, "holds no results of an evaluation");
  }
}

function checkSettings(path, before, now) {
  if (typeof before !== "object" || before === null)
    refuse(path, "holds no results of an evaluation");
  const keys = [...new Set([...Object.keys(before), ...Object.keys(now)])];
  const other = keys.filter((key) => JSON.stringify(before[key]) !== JSON.stringify(now[key]));
  if (other.length === 0) return;
  const told = other.map((key) => `${key} was ${before[key] ?? "not there"} and is ${now[key]}`);
  refuse(path, `has results of another run (${told.join("; ")})`);
}

function refuse(path, why) {
  throw new UsageError(`${path} ${why}: give another --output, or delete it`);
}
