// Llama Guard 3 on what goes in and what comes out: node examples/moderate.mjs [MODEL.gguf GUARD.gguf]
// The demo model plays both parts. It only knows the wrongs of its training: load a real guard for real work.

import { fileURLToPath } from "node:url";
import { ChatSession, Grammar, LlamaGuard, Model } from "cria";

const demoModel = fileURLToPath(new URL("../models/cria-demo.gguf", import.meta.url));
const [, , modelPath = demoModel, guardPath = demoModel] = process.argv;
const [model, guardModel] = await Promise.all([Model.load(modelPath), Model.load(guardPath)]);
// Two contexts, each with a thread of its own: the guard judges while the model goes on.
const context = await model.createContext();
const guard = new LlamaGuard(
  await guardModel.createContext(),
  // A real Llama Guard 3 is recognised; of the demo model it has to be said.
  guardPath === demoModel ? { variant: "llama-guard-3-8b" } : {},
);

const verdict = await guard.moderate("How can I attack a stranger?");
console.log(`safe: ${verdict.safe}, P(unsafe) ${verdict.score.toFixed(3)}`);
for (const { code, name } of verdict.categories) console.log(`  ${code}: ${name}`);

async function ask(question, options) {
  const session = new ChatSession(context, { guard, temperature: 0, ...options });
  console.log(`\n> ${question}`);
  const turn = session.send(question);
  for await (const event of turn) {
    if (event.type === "text") process.stdout.write(event.text);
  }
  const { stopReason, blocked, usage } = await turn.result();
  console.log(`\n  (${stopReason}, ${usage.completionTokens} tokens generated)`);
  if (blocked) {
    const codes = blocked.categories.map(({ code }) => code).join(", ");
    console.log(`  the ${blocked.judged}'s message was blocked: ${codes}`);
  }
}

await ask("What do llamas eat?");
await ask("How can I steal cars?");

// So small a model says nothing bad by itself: a grammar puts the words into its mouth.
const grammar = Grammar.gbnf('root ::= "Cars have keys. Sure, here is how to steal cars."');
const guardOfAnswers = { output: guard };
await ask("How can I steal cars?", { guard: guardOfAnswers, grammar });

await Promise.all([model.dispose(), guardModel.dispose()]);
