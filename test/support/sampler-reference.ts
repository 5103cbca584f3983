import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import type { Sampler, SamplerStep } from "../../lib/index.js";
import { MODEL, program } from "./paths.js";

const PROGRAM = program("sampler-reference");

/** What llama.cpp's own chains choose, the end-of-generation token included: a list for each sampler. */
export async function referenceSamples(
  prompt: Int32Array,
  samplers: readonly Sampler[],
  count: number,
): Promise<number[][]> {
  const lines = [["prompt", ...prompt]];
  for (const { steps, seed } of samplers) {
    lines.push(["sampler", seed ?? 0]);
    for (const step of steps) lines.push(["step", step.type, ...fields(step)]);
  }
  const child = spawn(PROGRAM, [MODEL, String(count)], { stdio: ["pipe", "pipe", "inherit"] });
  const input = lines.map((line) => `${line.map(encodeURIComponent).join("\t")}\n`).join("");
  child.stdin.end(input);
  const [answer, [code]] = await Promise.all([text(child.stdout), once(child, "close")]);
  if (code !== 0) throw new Error(`cria-sampler-reference ended with ${code}`);
  return answer
    .trimEnd()
    .split("\n")
    .map((line) => line.trim().split(" ").map(Number));
}

/** In the order of the reference program, the defaults written out once more. */
function fields(step: SamplerStep): (string | number)[] {
  switch (step.type) {
    case "temperature":
    case "top-k":
    case "top-n-sigma":
      return [step.value];
    case "dynamic-temperature":
      return [step.value, step.range, step.exponent ?? 1];
    case "top-p":
    case "min-p":
    case "typical-p":
      return [step.value, step.minKeep ?? 1];
    case "xtc":
      return [step.probability, step.threshold ?? 0.1, step.minKeep ?? 1];
    case "mirostat":
      return [step.version, step.tau ?? 5, step.eta ?? 0.1, step.candidates ?? 100];
    case "adaptive-p":
      return [step.target, step.decay ?? 0.9];
    case "penalties":
      return [step.lastN ?? 64, step.repeat ?? 1, step.frequency ?? 0, step.presence ?? 0];
    case "dry": {
      const { multiplier, base = 1.75, allowedLength = 2, lastN = 64, breakers } = step;
      return [multiplier, base, allowedLength, lastN, ...(breakers ?? ["\n", ":", '"', "*"])];
    }
    case "logit-bias":
      return Object.entries(step.biases).flat();
    case "grammar":
      return [step.grammar.source, step.grammar.root];
    default:
      return [];
  }
}
