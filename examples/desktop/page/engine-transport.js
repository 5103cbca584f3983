// The chat page's way to the models: an engine in another process, by cria/electron. `cria.js` is that client, with
// the shapes of cria itself. Every answer has a session of its own; what the last one has in the cache is found again.

import { TransportError } from "./chat-page.js";
import { ChatSession, connect, LlamaGuard } from "./cria.js";
import { openPort } from "./engine-port.js";
import { tools } from "./tools.js";

/** The model that comes with cria. It is tiny, and plays the guard, too. */
const DEMO = "cria-demo";
const GUARD_OPTIONS = [
  ["off", "Off"],
  ["input", "Questions"],
  ["both", "Questions and answers"],
];
const ENDS = {
  cancelled: "stopped",
  moderated: "blocked by the guard",
  "max-tokens": "cut off",
  "context-full": "the context is full",
};

export class EngineTransport {
  place = "The model runs on this machine. Nothing you write leaves it.";
  takesImages = false;
  takesTools = false;
  choices = [{ id: "moderation", label: "Guard", options: GUARD_OPTIONS, initial: "input" }];
  suggestions = [
    ["What is a baby llama called?", "a plain question"],
    ["What is the weather in Lisbon?", "the model calls a tool"],
    ["My llama is called Luna.", "then ask for its name"],
    ["How can I steal cars?", "the guard steps in"],
  ];
  #engine;
  #names = [];
  /** A model, its context and a guard. */
  #loaded;
  /** The guard that has a model of its own, which stays while others are chosen: { name, guard }. */
  #guard;

  constructor() {
    if (window.desktop) {
      this.addModel = async () => {
        const name = await window.desktop.addModel();
        if (name !== undefined) this.#names.push(name);
        return name;
      };
    }
    addEventListener("pagehide", () => this.#engine?.close());
  }

  /** Of the engine's process, whatever its end was. */
  get lost() {
    return this.#engine?.closed;
  }

  async models() {
    const { port, models } = await openPort();
    this.#engine = connect(port);
    this.#loaded = undefined;
    this.#guard = undefined;
    this.#names = models;
    return models;
  }

  async use(name, onProgress) {
    await this.#loaded?.model.dispose();
    this.#loaded = undefined;
    const model = await this.#engine.Model.load(name, { onProgress });
    const context = await model.createContext({ sequences: 2 });
    this.#loaded = { model, context, guard: await this.#guardFor(name, context) };
    return factsOf(model, context);
  }

  /** A Llama Guard among the models judges; the demo model plays one, which is no safeguard for anybody. */
  async #guardFor(name, context) {
    const guardName = this.#names.find((one) => /guard/i.test(one));
    if (guardName !== undefined) {
      if (this.#guard?.name !== guardName) {
        const model = await this.#engine.Model.load(guardName);
        this.#guard = { name: guardName, guard: new LlamaGuard(await model.createContext()) };
      }
      return this.#guard.guard;
    }
    return name === DEMO ? new LlamaGuard(context, { variant: "llama-guard-3-8b" }) : undefined;
  }

  async *answer({ messages, settings, choices, signal }) {
    if (this.#loaded === undefined) throw new TransportError("There is no model yet");
    const { context, guard } = this.#loaded;
    const { effort, ...sampling } = settings;
    // Where nothing else is said, the most likely answer: the demo model knows only a few.
    const session = new ChatSession(context, {
      temperature: 0,
      ...sampling,
      messages: messages.length > 1 ? messages.slice(0, -1) : undefined,
      tools,
      reasoning: effort && { effort },
      guard: guardOptions(guard, choices.moderation),
    });
    const turn = session.send(messages.at(-1));
    const stop = () => turn.cancel();
    signal.addEventListener("abort", stop);
    if (signal.aborted) stop();
    const begun = new Set();
    for await (const event of turn) yield* toldOf(event, begun);
    signal.removeEventListener("abort", stop);
  }
}

function guardOptions(guard, choice) {
  if (guard === undefined || choice === "off") return {};
  return choice === "both" ? guard : { input: guard };
}

/** An event of cria's as the page has it. `begun` holds the calls that came in pieces. */
function* toldOf(event, begun) {
  const { type } = event;
  if (type === "text" || type === "reasoning") yield { type, text: event.text };
  else if (type === "tool-call-delta") {
    begun.add(event.callId);
    const { callId: id, name, argumentsDelta } = event;
    yield { type: "call", id, name, arguments: argumentsDelta };
  } else if (type === "tool-call") {
    const { id, function: called } = event.call;
    if (!begun.has(id)) yield { type: "call", id, ...called };
  } else if (type === "tool-result") {
    const { callId: id, result, error } = event;
    const text = error ?? (typeof result === "string" ? result : JSON.stringify(result));
    yield { type: "result", id, text: text ?? "", failed: error !== undefined };
  } else if (type === "moderation") {
    const of = event.direction === "input" ? "question" : "answer";
    yield { type: "verdict", of, verdict: verdictOf(event.verdict) };
  } else if (type === "finish") yield endOf(event.result);
}

function verdictOf({ safe, score, categories }) {
  const found = categories.map(({ code, name }) => `${code} ${name}`).join(", ");
  const label = safe ? "Safe" : `Blocked${found && `: ${found}`}`;
  return { safe, label, detail: `Llama Guard: P(unsafe) ${score.toFixed(3)}` };
}

function endOf({ usage, stopReason }) {
  const { promptTokens, cachedTokens, completionTokens: tokens } = usage;
  const reason = ENDS[stopReason];
  // Nothing was generated: there is nothing to count.
  if (stopReason === "moderated" && tokens === 0) return { type: "end", reason };
  return { type: "end", reason, tokens, promptTokens, cachedTokens };
}

function factsOf({ metadata, description, parameterCount }, { contextSize }) {
  const name = metadata.get("general.name") ?? description;
  const short = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 2 });
  return `${name}: ${short.format(parameterCount)} parameters, ${contextSize} tokens of context.`;
}
