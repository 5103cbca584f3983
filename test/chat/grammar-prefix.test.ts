import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Context, Grammar, Model, Sampler } from "../../lib/index.js";
import { behind } from "../../lib/sampling/grammar.js";
import { writeRandomModel } from "../support/random-model.js";
import { vocabularyFile } from "../support/vocabularies.js";

// llama.cpp's grammars for templates begin with the end of the prompt. SentencePiece puts a space in
// front of that text, or takes it into the first token, of which the grammar has nothing.
let directory: string;
let model: Model;
let context: Context;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "cria-random-"));
  const path = join(directory, "random.gguf");
  await writeRandomModel(path, 7, { like: vocabularyFile("llama-spm") });
  model = await Model.load(path);
  context = await model.createContext({ contextSize: 256 });
});
afterAll(async () => {
  await model?.dispose();
  await rm(directory, { recursive: true, force: true });
});

function generate(prefix: string, begin: string) {
  const grammar = behind(prefix, Grammar.gbnf(`root ::= ${JSON.stringify(begin)} "yes" [0-9]{3}`));
  const sampler = new Sampler({ temperature: 1.5, topK: 0, topP: 1, minP: 0, seed: 3, grammar });
  return context.generate("x", { sampler, maxTokens: 20 }).result();
}

test("the vocabulary puts a space in front", () => {
  const [first] = model.tokenize("<|im_start|>assistant\n") as unknown as [number];
  expect(model.detokenize([...model.tokenize("x"), first])).toMatch(/x <?$/);
});

test.each(["<|im_start|>assistant\n", "[", "the", " the", "é", "\n", "a  b", "<s>x", "🦙"])(
  "what stands behind %j follows the grammar",
  async (prefix) => {
    const { text } = await generate(prefix, prefix);
    expect(text).toMatch(/^yes\d{3}$/);
  },
);

test("a prefix that the grammar does not begin with is refused", async () => {
  await expect(generate("assistant\n", "user\n")).rejects.toMatchObject({
    code: "ERR_GRAMMAR_INVALID",
  });
});
