// The programs that rows run on the side of cria and of its peers, each in a process of its own.

import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const path = (name) => fileURLToPath(new URL(name, import.meta.url));

async function runNode(program, work, flags = [], env = {}) {
  const args = [...flags, path(program), JSON.stringify(work)];
  const options = { maxBuffer: 1 << 24, env: { ...process.env, ...env } };
  const { stdout } = await run(process.execPath, args, options);
  return lastJson(stdout);
}

/** Some libraries print among what their users print. */
function lastJson(output) {
  for (const line of output.trim().split("\n").reverse()) {
    try {
      return JSON.parse(line);
    } catch {}
  }
  throw new Error(`No figures came: ${output.slice(-500)}`);
}

/** What bench/cria.mjs measured, in a Node with these flags and these variables besides its own. */
export const cria = (work, flags, env) => runNode("cria.mjs", work, flags, env);

/** What bench/peers/NAME.mjs measured. */
export function peer(name, work) {
  if (!existsSync(path("peers/node_modules"))) {
    throw new Error("The peers are not there. Install them: npm install --prefix bench/peers");
  }
  return runNode(`peers/${name}.mjs`, work);
}

/** From the milliseconds of a repetition to its rate. */
export const perSecond = (tokens) => (milliseconds) => (tokens * 1000) / milliseconds;
