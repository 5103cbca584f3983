// Begins a chat in a process of its own, saves it, goes on, and prints what came:
//
//   node test/chat/saved-session.mjs MODEL FILE   → one line of JSON
import { ChatSession, Model } from "../../dist/index.js";

const [path, file] = process.argv.slice(2);
const model = await Model.load(path);
const context = await model.createContext({ contextSize: 2048, sequences: 2 });
const session = new ChatSession(context, { temperature: 0, date: "26 Jul 2024" });
await session.send("What is the capital of France?").result();
await session.save(file);
const { message, usage } = await session.send("What do llamas eat?").result();
console.log(JSON.stringify({ message, usage }));
await model.dispose();
