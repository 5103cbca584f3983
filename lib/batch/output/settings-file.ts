import { readFile } from "node:fs/promises";
import { isPlainObject } from "../../internal/checks.js";
import { replaceFile } from "../../internal/replace-file.js";
import { ioError } from "../failures.js";
import type { Settings } from "./batch-settings.js";

/**
 * Beside an output, what its results were made with. That they were made with something else every result
 * tells by itself; this file is there to say what it was.
 */
export async function writeSettings(output: string, settings: Settings): Promise<void> {
  const file = settingsFile(output);
  await replaceFile(file, `${JSON.stringify(settings, null, 2)}\n`).catch((error) => {
    throw ioError(`The settings of the output ${output} cannot be written`, error);
  });
}

/** Undefined where the file is not there, or is none that a run wrote. */
export async function readSettings(output: string): Promise<Settings | undefined> {
  try {
    const settings: unknown = JSON.parse(await readFile(settingsFile(output), "utf8"));
    return isPlainObject(settings) ? settings : undefined;
  } catch {
    return undefined;
  }
}

export function settingsFile(output: string): string {
  return `${output}.settings.json`;
}
