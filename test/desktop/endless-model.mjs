// The demo model with the rows of its end tokens zeroed and room for a long text: what it writes never ends by
// itself, so that there is something to stop.

import { readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { Model } from "cria";

const { readGguf, u32, writeGguf } = createRequire(import.meta.url)("../fuzz/gguf.cjs");

export async function writeEndlessModel(from, to) {
  const model = await Model.load(from, { vocabOnly: true });
  const ends = Array.from({ length: model.vocabularySize }, (_, id) => id).filter((id) =>
    model.isEndOfGeneration(id),
  );
  await model.dispose();
  const { pairs, tensors } = readGguf(await readFile(from));
  const wanted = ({ key }) => key === "llama.context_length";
  const longer = pairs.map((pair) => (wanted(pair) ? { ...pair, value: u32(65_536) } : pair));
  const { data, shape } = tensors.find(({ name }) => name === "token_embd.weight");
  const width = (Number(shape[0]) / 32) * 34; // Q8_0: blocks of 32 with a scale
  for (const id of ends) data.fill(0, id * width, (id + 1) * width);
  await writeFile(to, writeGguf({ pairs: longer, tensors }));
}
