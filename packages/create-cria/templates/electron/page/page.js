// The chat. `cria.js` is cria/electron: the same classes, with the model on the other side of a port.

import { ChatSession, connect, defineTool } from "./cria.js";

const byId = (id) => document.getElementById(id);
const [messages, composer, prompt, send, stop] = [
  ...["messages", "composer", "prompt", "send", "stop"].map(byId),
];

const weather = defineTool({
  name: "get_weather",
  description: "Get the current weather for a city",
  parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  execute: () => ({ temperature: 21, condition: "sunny" }), // runs in this page
});

/** A port to the engine, which the preload script hands over. */
function openPort() {
  return new Promise((resolve) => {
    const listener = ({ source, data, ports: [port] }) => {
      if (source !== window || data !== "engine") return;
      window.removeEventListener("message", listener);
      resolve(port);
    };
    window.addEventListener("message", listener);
    window.desktop.connect();
  });
}

let engine; // the connection, while there is one
let session;

/** Also when the engine's process is gone: the conversation is here, and goes on. */
async function start() {
  const started = connect(await openPort());
  engine = started;
  started.closed.then(() => {
    if (engine === started) engine = undefined;
  });
  const model = await started.Model.load("assistant");
  const context = await model.createContext({ contextSize: 2048 });
  session = new ChatSession(context, {
    tools: [weather],
    messages: session?.messages ?? [],
    temperature: 0, // the likeliest answer; without this line, as the model's file recommends
  });
}

function show(who, text = "") {
  const line = document.createElement("p");
  line.className = who;
  line.textContent = text;
  messages.append(line);
  return line;
}

let turn;

/** One turn. A process that was gone, and of which nobody had told yet, is started and asked once more. */
async function ask(text, answer, again = true) {
  let heard = false;
  try {
    if (engine === undefined) await start();
    turn = session.send(text);
    for await (const event of turn) {
      heard = true;
      if (event.type === "text") answer.textContent += event.text;
      if (event.type === "tool-call") show("note", `calls ${event.call.function.name}`);
    }
  } catch (error) {
    if (!again || heard || error.code !== "ERR_CONNECTION_CLOSED") throw error;
    engine = undefined;
    await ask(text, answer, false);
  }
}

stop.addEventListener("click", () => turn?.cancel());

composer.addEventListener("submit", async (event) => {
  event.preventDefault();
  const text = prompt.value.trim();
  if (text === "" || send.disabled) return;
  prompt.value = "";
  show("user", text);
  const answer = show("assistant");
  send.disabled = true;
  stop.disabled = false;
  try {
    await ask(text, answer);
  } catch (error) {
    show("error", error.message);
  } finally {
    turn = undefined;
    send.disabled = false;
    stop.disabled = true;
  }
});
