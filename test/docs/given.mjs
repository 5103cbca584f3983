// What the pages' code blocks take for granted, by the names that they use.
import { MessageChannel } from "node:worker_threads";
import { ChatSession, LlamaGuard, Model, Sampler } from "cria";

export const model = await Model.load("model.gguf");
export const rankModel = await Model.load("reranker.gguf");
export const guardModel = await Model.load("llama-guard-3-1b.gguf");
export const seeing = await Model.load("llama-vision.gguf", {
  projector: "mmproj-llama-vision.gguf",
});
export const context = await model.createContext({ sequences: 4, contextSize: 1024 });
export const judging = await guardModel.createContext();
export const guard = new LlamaGuard(judging);

export const prompt = "The llama";
export const prompts = ["The llama", "An alpaca"];
export const lines = ["Once upon a time", "A llama"];
export const input = "What is a baby llama called?";
export const userInput = input;
export const question = input;
export const conversations = [[{ role: "user", content: "What do llamas eat?" }]];
export const messages = [{ role: "user", content: "What is the weather in Lisbon?" }];
export const text = input;
const parameters = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
export const tools = [{ type: "function", function: { name: "get_weather", parameters } }];
export const weather = tools[0];
export const session = new ChatSession(context, { tools });
export const creative = new Sampler({ temperature: 1.1 });
export const yes = 1;
export const no = 2;

export function hash(value) {
  return value.length;
}
export async function save() {}

/** As an Electron utility process has it, with a page at the other end. */
const channel = new MessageChannel();
process.parentPort = { on: (_, listener) => listener({ ports: [channel.port1] }) };
export const port = channel.port2;
export const answer = { textContent: "" };
export const stop = { onclick: undefined };

export async function end() {
  port.close();
  await Promise.all([model, guardModel, rankModel].map((one) => one.dispose()));
}
