import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { llamaCppDir } from "../support/llama-cpp-dir.js";
import { MODEL, program } from "../support/paths.js";
import { VOCABULARIES, vocabularyFile } from "../support/vocabularies.js";

async function run(name: string, args: readonly string[]) {
  const child = spawn(program(name), args, {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, "close"),
  ]);
  return { code, stdout, stderr };
}

/** ThreadSanitizer takes an hour for all vocabularies, and there is one thread. */
const fewVocabularies = /tsan/.test(process.env.CRIA_TEST_PRELOAD ?? "");

/** What takes minutes under sanitizers and goes the ways that the others go, too. */
const short = process.env.CRIA_TEST_SHORT !== undefined;
const SHORT: Readonly<Record<string, readonly string[]>> = {
  "grammar-matcher-test": ["together", "deep", "counted", "end", "threads"],
  // Not who comes first, but what becomes of those who wait and give way.
  "scheduler-test": ["prefix", "equal", "give_way", "held", "too_long"],
  "sequences-test": ["fork", "disposed", "saved", "refused", "makes_room"],
  "embedder-test": ["pieces", "cancelled", "closed"],
};

// The programs of this folder, which test native/core without Node.
test.each([
  ["text-stream-test"],
  ["outbox-test"],
  ["crowd-test"],
  ["linux-processors-test"],
  ["logit-scan-test"],
  ["sampler-test", MODEL],
  ["grammar-filter-test", MODEL, join(llamaCppDir(), "models", "ggml-vocab-llama-bpe.gguf")],
  ["grammar-matcher-test", MODEL, llamaCppDir()],
  ["attention-test"],
  ["k-quant-product-test"],
  ["bf16-product-test"],
  ["adapters-test"],
  ["peg-machine-test"],
  ["plan-test"],
  ["step-times-test"],
  ["utf8-automaton-test"],
  ["speculation-test"],
  ["cache-test", MODEL],
  ["scheduler-test", MODEL],
  ["state-file-test"],
  ["sequences-test", MODEL],
  ["context-test", MODEL],
  ["breakdown-test", MODEL],
  ["embedder-test", MODEL],
  ["memory-test", MODEL],
  ...(short ? [] : [["soak-test", MODEL]]),
  [
    "token-borders-test",
    ...(short || fewVocabularies ? ["llama-bpe", "llama-spm"] : VOCABULARIES).map(vocabularyFile),
  ],
])(
  "%s",
  async (name, ...args) => {
    const { code, stdout, stderr } = await run(name, [...args, ...((short && SHORT[name]) || [])]);
    expect(stdout).toMatch(/^\d+ passed, 0 failed\s*$/);
    expect(stderr).toBe("");
    expect(code).toBe(0);
  },
  900_000,
);
