// `level.mjs REPORT`: which level of instructions the engine takes on this processor, and that it works
// there. Writes `{ level }`, or `{ code }` where it refuses.

import { equal } from "node:assert/strict";
import { writeFileSync } from "node:fs";

async function level() {
  try {
    const { ChatSession, engineInfo, Model } = await import("cria");
    const model = await Model.load(process.env.CRIA_TEST_MODEL);
    const session = new ChatSession(await model.createContext(), { temperature: 0 });
    const { message } = await session.send("What is a baby llama called?").result();
    // Of this the model is sure, whatever rounds.
    equal(message.content, "A baby llama is called a cria.");
    await model.dispose();
    return { level: engineInfo().cpuLevel };
  } catch (error) {
    return { code: error.code, message: error.message };
  }
}

writeFileSync(process.argv[2], JSON.stringify(await level()));
