import { join } from "node:path";
import { runNode } from "./support/child.js";
import { ROOT } from "./support/paths.js";

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
