// The demo model with room for a long text and the rows of some tokens zeroed, so that it never chooses them: those
// that end a text, and those that could begin a tool call. What it writes goes on until somebody stops it.

import { readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { Model } from "cria";

const { readGguf, u32, writeGguf } = createRequire(import.meta.url)("../fuzz/gguf.cjs");

export async function writeEndlessModel(from, to) {
  const model = await Model.load(from, { vocabOnly: true });
  const never = Array.from({ length: model.vocabularySize }, (_, id) => id).filter(
    (id) =>
      model.isEndOfGeneration(id) || /[[{("<|]/.test(model.detokenize([id], { special: true })),
  );
  await model.dispose();
  const { pairs, tensors } = readGguf(await readFile(from));
  const wanted = ({ key }) => key === "llama.context_length";
  const longer = pairs.map((pair) => (wanted(pair) ? { ...pair, value: u32(65_536) } : pair));
  const { data, shape } = tensors.find(({ name }) => name === "token_embd.weight");
  const width = (Number(shape[0]) / 32) * 34; // Q8_0: blocks of 32 with a scale
  for (const id of never) data.fill(0, id * width, (id + 1) * width);
  await writeFile(to, writeGguf({ pairs: longer, tensors }));
}
