// Runs a fuzzer (runner.mjs) in a child, and tells what became of it and how to repeat that.
import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

const folder = fileURLToPath(new URL(".", import.meta.url));

/**
 * @param name of the fuzzer, as its file
 * @param options `args` for it, `hang`: after so many ms without a new run it is one
 * @returns its `summary` (or null), `problem` (or null), and how to `repeat` it
 */
export async function watch(name, { args = [], hang = 60_000, env = {} } = {}) {
  const file = `${folder}${name}.mjs`;
  const child = spawn(process.execPath, ["--expose-gc", file, ...args], {
    stdio: ["ignore", "pipe", "pipe", "ipc"],
    env: { ...process.env, ...env },
  });
  let last;
  let hung = false;
  const bark = () => {
    hung = true;
    child.kill("SIGKILL");
  };
  let timer = setTimeout(bark, hang);
  child.on("message", (run) => {
    last = run;
    clearTimeout(timer);
    timer = setTimeout(bark, hang);
  });
  const end = new Promise((resolve) =>
    child.on("close", (code, signal) => resolve({ code, signal })),
  );
  const [stdout, stderr, { code, signal }] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    end,
  ]);
  clearTimeout(timer);

  const line = stdout.trim().split("\n").at(-1);
  const summary = line ? JSON.parse(line) : null;
  const at = summary?.failed ?? last;
  const repeat =
    at &&
    `node --expose-gc test/fuzz/${name}.mjs --only ${at.target} --seed ${at.seed} --path ${at.path}`;
  const faults = [
    hung && `no end of a run after ${hang} ms`,
    signal && !hung && `ended by ${signal}`,
    code !== 0 && code !== null && `status ${code}`,
    summary === null && "no summary",
    summary?.error,
    summary?.value && `with ${summary.value}`,
    stderr,
  ].filter(Boolean);
  const problem = faults.length === 0 ? null : faults.join("\n");
  return { name, summary, problem, repeat: problem === null ? null : repeat };
}
