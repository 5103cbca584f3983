// Asks two questions about a picture (or a sound: --audio). Needs a model that sees and its projector:
//   node examples/see.mjs MODEL.gguf MMPROJ.gguf PICTURE "What is this?" "What colour is it?"

import { ChatSession, Model } from "cria";

const args = process.argv.slice(2);
const type = args[0] === "--audio" ? "audio" : "image";
const [path, projector, file, ...questions] = type === "audio" ? args.slice(1) : args;
if (questions.length === 0) {
  console.error("usage: node examples/see.mjs [--audio] MODEL MMPROJ FILE QUESTION…");
  process.exit(2);
}

const model = await Model.load(path, { projector });
const session = new ChatSession(await model.createContext({ contextSize: 4096 }), {
  maxTokens: 200,
});
for (const [index, text] of questions.entries()) {
  const content = [
    { type, [type]: file },
    { type: "text", text },
  ];
  const turn = session.send(index === 0 ? { role: "user", content } : text);
  for await (const event of turn) if (event.type === "text") process.stdout.write(event.text);
  const { promptTokens, cachedTokens } = (await turn.result()).usage;
  console.log(`\n(${promptTokens} tokens in the prompt, ${cachedTokens} of them from the cache)\n`);
}
await model.dispose();
