import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeLora } from "./support/adapters.js";
import { runNode } from "./support/child.js";
import { MODEL, ROOT } from "./support/paths.js";

/** As a reader runs it. */
const example = (name: string) => runNode([join(ROOT, "examples", name)], { deadline: 300_000 });

/** What a reader is to see of each. */
const SHOWN: readonly [string, readonly (string | RegExp)[]][] = [
  [
    "demo.mjs",
    [
      "A baby llama is called a cria.",
      "Your llama is called Luna.",
      /calls get_weather with \{"city": ?"Lisbon"\}/,
      'is told {"temperature":21,"condition":"sunny"}',
      "It is 21 degrees and sunny in Lisbon.",
      "The capital of France is Paris.",
    ],
  ],
  [
    "chat.mjs",
    ["Your llama is called Luna.", /\(\d\d+ of \d+ prompt tokens were cached\)/, '"role": "user"'],
  ],
  [
    "tools.mjs",
    [
      /get_weather \{"city": ?"Lisbon"\}/,
      "It is 21 degrees and sunny in Lisbon.",
      /find_llama \{"name": ?"Luna"\}/,
      "Luna is in the garden.",
    ],
  ],
  [
    "moderate.mjs",
    [
      /^safe: false, P\(unsafe\) (1\.000|0\.9\d\d)\n {2}S1: Violent Crimes\n/,
      "Llamas eat grass, hay and other plants.\n  (end-of-turn, ",
      "(moderated, 0 tokens generated)\n  the user's message was blocked: S2",
      /Cars have keys\. \n {2}\(moderated, \d+ tokens generated\)\n {2}the assistant's message was/,
    ],
  ],
  ["structured.mjs", ["name: 'cria'", /certain: (true|false)/]],
  ["stream.mjs", ["High in the mountains lived"]],
  ["stop-and-abort.mjs", ["stop string: stop-string", "cancel(): cancelled"]],
  ["batch.mjs", ["text 11: ", "a wrong one: Expected an integer"]],
  ["classify.mjs", ["1000 reviews, 0 errors"]],
  ["moderate-log.mjs", ["safe: What is a llama?", /unsafe \(.*S9\): How do I build a bomb\?/]],
  ["embed.mjs", [/\d+ pieces, \d+ tokens in/, /ways to abort a generation:\n {2}0\.\d{3} \S+/]],
  ["sequence.mjs", ["next: ", "- Once upon a time"]],
  ["workers.mjs", [/rpc:\/\/\S+: \d+\.\d GB/, "High in the mountains lived"]],
  ["worker.mjs", ["The worker is gone"]],
  ["commonjs.cjs", ["In a small village"]],
];

test.each(SHOWN)(
  "%s",
  async (name, shown) => {
    const { code, stdout } = await example(name);
    for (const piece of shown) expect(stdout).toMatch(piece);
    expect(code).toBe(0);
  },
  310_000,
);

test("adapters.mjs", async () => {
  const folder = await mkdtemp(join(tmpdir(), "cria-example-adapters-"));
  const file = join(folder, "style.gguf");
  writeLora(file, 1);
  const args = [MODEL, file, `${file}=0`];
  const end = await runNode([join(ROOT, "examples", "adapters.mjs"), ...args]);
  await rm(folder, { recursive: true });
  expect(end.code).toBe(0);
  const [without, whole, none, ...rest] = end.stdout.trimEnd().split(/\n(?=\/)/);
  expect(without).toMatch(/^without:./);
  expect(whole).toMatch(/^\S+style\.gguf:./);
  expect(none?.split("=0:")[1]).toBe(without?.slice("without:".length));
  expect(whole?.split(".gguf:")[1]).not.toBe(none?.split("=0:")[1]);
  expect(rest).toEqual([]);
});

test("fetch.mjs, of what is in the cache already", async () => {
  const cache = await mkdtemp(join(tmpdir(), "cria-example-fetch-"));
  const commit = "c0ffee".padEnd(40, "0");
  const repository = join(cache, "models--cria--demo");
  await mkdir(join(repository, "snapshots", commit), { recursive: true });
  await mkdir(join(repository, "refs"));
  await writeFile(join(repository, "refs", "main"), commit);
  const file = join(repository, "snapshots", commit, "cria-demo-Q8_0.gguf");
  await symlink(MODEL, file);
  const env = { HF_HUB_OFFLINE: "1", HF_TOKEN: "", HF_HUB_CACHE: cache };
  const args = ["hf:cria/demo:Q8_0", "--fetch"];
  const { code, stdout } = await runNode([join(ROOT, "examples", "fetch.mjs"), ...args], { env });
  await rm(cache, { recursive: true });
  expect(stdout).toMatch(/: llama, 0\.00\dB, Q8_0\n0\.0\d\d GB with a context of 512 tokens\n/);
  expect(stdout.trimEnd().endsWith(file)).toBe(true);
  expect(code).toBe(0);
});
