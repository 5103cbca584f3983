// What basics.mjs and features.mjs share: questions to the demo model with its answers, and the report, which
// goes to a file: `{ runtime, place, passed, failed: [what] }`, where `place` is the engine's in the package.

import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { engineInfo, Model } from "cria";

export const modelPath = process.env.CRIA_TEST_MODEL;
/** Of this process alone, while it checks. */
export const folder = join(tmpdir(), `cria-platforms-${process.pid}`);

/** What the demo model answers. The likeliest token is at least e³·⁹ times as likely as the next: no rounding changes that. */
export const ANSWERS = {
  "What is a llama?": [
    65, 646, 32, 292, 576, 998, 992, 667, 577, 722, 583, 993, 994, 585, 967, 679, 46,
  ],
  "My name is Ada. What is my name?": [689, 586, 32, 292, 32, 65, 436, 46],
  "What do llamas eat?": [819, 808, 816, 44, 841, 585, 814, 1050, 46],
  "Where do llamas live?": [819, 721, 32, 301, 577, 854, 809, 578, 577, 722, 32, 301, 811, 810, 46],
};

export function question(text) {
  return [
    ...[{ control: "<|begin_of_text|>" }, { control: "<|start_header_id|>" }, { text: "user" }],
    ...[{ control: "<|end_header_id|>" }, { text: `\n\n${text}` }, { control: "<|eot_id|>" }],
    ...[
      { control: "<|start_header_id|>" },
      { text: "assistant" },
      { control: "<|end_header_id|>" },
    ],
    { text: "\n\n" },
  ];
}

function runtime() {
  if (process.versions.bun) return `Bun ${process.versions.bun}`;
  if (process.versions.deno) return `Deno ${process.versions.deno}`;
  return `Node ${process.versions.node}`;
}

/** Calls each with the demo model and a context of two sequences, one after the other, and writes the report. */
export async function checkAll(checks, report) {
  mkdirSync(folder, { recursive: true });
  const model = await Model.load(modelPath);
  const context = await model.createContext({ sequences: 2 });
  const failed = [];
  let passed = 0;
  for (const [what, check] of Object.entries(checks)) {
    try {
      await check({ model, context });
      passed += 1;
    } catch (error) {
      failed.push(`${what}: ${error.stack ?? error}`);
    }
  }
  await model.dispose();
  rmSync(folder, { recursive: true, force: true });
  const { path } = engineInfo();
  const place = path.replaceAll("\\", "/").replace(/^.*\/node_modules\/cria\//, "");
  writeFileSync(report, JSON.stringify({ runtime: runtime(), place, passed, failed }));
}
