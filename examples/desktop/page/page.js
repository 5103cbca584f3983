// The chat: picks a model, sends, shows what happens. The engine is in another process; `cria.js` is
// cria/electron, with the shapes of cria itself.

import * as view from "./chat-view.js";
import { ChatSession, connect, LlamaGuard } from "./cria.js";
import { openPort } from "./engine-port.js";
import "./theme.js";
import { tools } from "./tools.js";

const SUGGESTIONS = [
  ["What is a baby llama called?", "a plain question"],
  ["What is the weather in Lisbon?", "the model calls a tool"],
  ["My llama is called Luna.", "then ask for its name"],
  ["How can I steal cars?", "the guard steps in"],
];
/** The model that comes with cria. It is tiny, and plays the guard, too. */
const DEMO = "cria-demo";

const byId = (id) => document.getElementById(id);
const ui = {
  model: byId("model"),
  moderation: byId("moderation"),
  facts: byId("model-facts"),
  loading: byId("loading"),
  status: byId("status"),
  prompt: byId("prompt"),
  send: byId("send"),
  stop: byId("stop"),
};

/** What is loaded: a model, its context, a guard, and the session that they serve. */
let engine;
let loaded;
let session;
let turn;

const saved = (name) => JSON.parse(sessionStorage.getItem(name) ?? "null");
const save = (name, value) => sessionStorage.setItem(name, JSON.stringify(value));

function setStatus(text, failed = false) {
  ui.status.textContent = text;
  ui.status.classList.toggle("failed", failed);
}

function setReady() {
  ui.send.disabled = session === undefined || ui.prompt.value.trim() === "";
  ui.send.hidden = turn !== undefined;
  ui.stop.hidden = turn === undefined;
  ui.model.disabled = turn !== undefined;
}

/** Connects, and again when the engine's process is gone: the conversation is here and goes on. */
async function start() {
  setStatus("Starting the engine…");
  const { port, models } = await openPort();
  engine = connect(port);
  engine.closed.then(() => {
    session = undefined;
    loaded = undefined;
    setReady();
    if (!leaving) startAgain();
  });
  const picked = saved("model") ?? models[0];
  ui.model.replaceChildren(...models.map((name) => new Option(name, name, false, name === picked)));
  await load(ui.model.value).catch(showFailure); // where the engine is gone, `closed` goes on
}

function startAgain() {
  start().catch((error) => {
    showFailure(error);
    setTimeout(startAgain, 1000);
  });
}

let leaving = false;
addEventListener("pagehide", () => {
  leaving = true;
  engine?.close();
});

async function load(name) {
  const { messages = [] } = session ?? { messages: saved("messages") ?? [] };
  session = undefined;
  setReady();
  setStatus(`Loading ${name}…`);
  ui.loading.hidden = false;
  await loaded?.model.dispose();
  try {
    const model = await engine.Model.load(name, { onProgress: showProgress });
    const context = await model.createContext({ sequences: 2 });
    loaded = { name, model, context, guard: await guardFor(name, context) };
    save("model", name);
    ui.facts.textContent = factsOf(model, context);
    begin(messages);
    setStatus("");
  } finally {
    ui.loading.hidden = true;
  }
}

function factsOf({ metadata, description, parameterCount }, { contextSize }) {
  const name = metadata.get("general.name") ?? description;
  const parameters = new Intl.NumberFormat("en", {
    notation: "compact",
    maximumSignificantDigits: 2,
  });
  const facts = `${parameters.format(parameterCount)} parameters, ${contextSize} tokens of context`;
  return `${name}: ${facts}. It runs on this machine, and nothing you write leaves it.`;
}

/** A Llama Guard among the models judges; the demo model plays one, which is no safeguard for anybody. */
async function guardFor(name, context) {
  const guardName = [...ui.model.options]
    .map(({ value }) => value)
    .find((value) => /guard/i.test(value));
  if (guardName !== undefined) {
    const model = await engine.Model.load(guardName);
    return new LlamaGuard(await model.createContext());
  }
  return name === DEMO ? new LlamaGuard(context, { variant: "llama-guard-3-8b" }) : undefined;
}

function showProgress(fraction) {
  ui.loading.setAttribute("aria-valuenow", String(Math.round(fraction * 100)));
  ui.loading.firstElementChild.style.width = `${fraction * 100}%`;
}

function begin(messages) {
  session = new ChatSession(loaded.context, {
    messages: messages.length > 0 ? messages : undefined,
    tools,
    temperature: 0,
  });
  view.restore(messages);
  save("messages", messages);
  setReady();
}

function guardOptions() {
  const { guard } = loaded;
  if (guard === undefined || ui.moderation.value === "off") return {};
  return ui.moderation.value === "both" ? guard : { input: guard };
}

async function ask(text) {
  const user = view.addUser(text);
  const answer = view.addAnswer();
  let started = performance.now();
  let waited = 0; // for tools
  let called = 0;
  answer.running(true);
  try {
    turn = session.send(text, { guard: guardOptions() });
    setReady();
    for await (const event of turn) {
      if (event.type === "text") answer.text(event.text);
      else if (event.type === "tool-call") {
        called = performance.now();
        answer.tool(event.call);
      } else if (event.type === "tool-result") {
        waited += performance.now() - called;
        called = performance.now();
        showToolResult(answer, event);
      } else if (event.type === "moderation") {
        (event.direction === "input" ? user : answer).badge(event.verdict);
        if (event.direction === "input") started = performance.now();
      } else answer.note(summaryOf(event.result, performance.now() - started - waited));
    }
  } catch (error) {
    answer.note(error.message, true);
  } finally {
    turn = undefined;
    answer.running(false);
    if (session !== undefined) save("messages", session.messages);
    setReady();
    ui.prompt.focus();
  }
}

function showToolResult(answer, { callId, result, error }) {
  const shown = error ?? (typeof result === "string" ? result : JSON.stringify(result));
  answer.toolResult(callId, shown, error !== undefined);
}

const ENDS = {
  cancelled: "stopped",
  moderated: "blocked by the guard",
  "max-tokens": "cut off",
  "context-full": "the context is full",
};

/** @param milliseconds that the engine took, tools left out */
function summaryOf({ usage, stopReason }, milliseconds) {
  const { promptTokens, cachedTokens, completionTokens } = usage;
  if (stopReason === "moderated" && completionTokens === 0) return ENDS.moderated;
  const seconds = milliseconds / 1000;
  return [
    ENDS[stopReason],
    `${completionTokens} tokens`,
    `${Math.round(completionTokens / seconds)} tokens/s`,
    `${seconds.toFixed(2)} s`,
    `${cachedTokens} of ${promptTokens} prompt tokens cached`,
  ]
    .filter(Boolean)
    .join(" · ");
}

function showFailure(error) {
  setStatus(error.message, true);
}

byId("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = ui.prompt.value.trim();
  if (text === "" || session === undefined || turn !== undefined) return;
  ui.prompt.value = "";
  ask(text);
});
ui.prompt.addEventListener("input", setReady);
ui.prompt.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  byId("composer").requestSubmit();
});
addEventListener("keydown", ({ key }) => {
  if (key === "Escape") turn?.cancel();
});
ui.stop.addEventListener("click", () => turn?.cancel());
ui.model.addEventListener("change", () => load(ui.model.value).catch(showFailure));
byId("new-chat").addEventListener("click", () => {
  turn?.cancel();
  if (loaded !== undefined) begin([]);
  ui.prompt.focus();
});

byId("suggestions").append(
  ...SUGGESTIONS.map(([text, what]) => {
    const item = document.createElement("li");
    const button = document.createElement("button");
    const small = document.createElement("small");
    small.textContent = what;
    button.type = "button";
    button.append(text, small);
    button.addEventListener("click", () => session !== undefined && !turn && ask(text));
    item.append(button);
    return item;
  }),
);

if (window.desktop) {
  const add = byId("add-model");
  add.hidden = false;
  add.addEventListener("click", async () => {
    const name = await window.desktop.addModel();
    if (name === undefined) return;
    ui.model.append(new Option(name, name, false, true));
    load(name).catch(showFailure);
  });
}

setReady();
startAgain();
