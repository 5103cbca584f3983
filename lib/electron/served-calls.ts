import { ChatSession } from "../chat/chat-session.js";
import type { ChatTurn } from "../chat/chat-turn.js";
import type { Context } from "../context/context.js";
import type { Generation } from "../generation/generation.js";
import { LlamaGuard } from "../guard/llama-guard.js";
import { string } from "../internal/checks.js";
import { disposedError } from "../internal/errors.js";
import type { ChatMessage } from "../messages/messages.js";
import type { ToolContext } from "../tools/define-tool.js";
import type { Method } from "./port-protocol.js";
import type { ModelFacts } from "./remote-context.js";
import type { ServedCall } from "./served-call.js";
import { withoutFiles } from "./served-media.js";
import { type FindModel, loadServed } from "./served-models.js";
import type { ServedObjects, ServedSession } from "./served-objects.js";
import { contextOptions, generateOptions, plainOptions, turnOptions } from "./served-options.js";

type Carry = (call: ServedCall, objects: ServedObjects, find: FindModel) => Promise<unknown>;

/** What each call does. All of its arguments are as the client sent them: the library's own checks judge them. */
export const CALLS: Readonly<Record<Method, Carry>> = {
  async load(call, objects, find) {
    const [name, given, told] = call.args;
    string(name, "path");
    const options = plainOptions(given);
    const release = objects.reserveModel();
    try {
      const found = await find(name as string, options);
      const onProgress = told === true && { onProgress: call.progress };
      const loaded = await loadServed(found, options, { signal: call.signal, ...onProgress });
      await objects.addModel(call, loaded);
      return { id: call.id, facts: { ...factsOf(loaded.model), path: name } };
    } finally {
      release();
    }
  },

  async createContext(call, objects) {
    const { model } = objects.model(call.target);
    const release = objects.reserveContext();
    try {
      const options = { ...contextOptions(call.args[0]), signal: call.signal };
      const context = await model.createContext(options);
      await objects.addContext(call, context);
      const { contextSize, sequences, batchSize, threads, pooling } = context;
      return { id: call.id, facts: { contextSize, sequences, batchSize, threads, pooling } };
    } finally {
      release();
    }
  },

  dispose: (call, objects) => objects.dispose(call.target),

  async tokenize(call, objects) {
    const [text, options] = call.args;
    const { model } = objects.model(call.target);
    return model.tokenizeAsync(text as string, { ...plainOptions(options), signal: call.signal });
  },

  async generate(call, objects) {
    const [prompt, given, told] = call.args;
    const options = {
      ...generateOptions(given),
      signal: undefined as never, // `cancel` is how it is stopped
      ...(told === true && { onProgress: call.progress }),
    };
    const context = objects.context(call.target);
    const input = withoutFiles(prompt) as Parameters<Context["generate"]>[0];
    const generation = context.generate(input, options);
    call.stopBy(() => generation.cancel());
    await passOn(generation, call);
    const { stopReason, stopToken, stopString, ...rest } = await generation.result();
    const { usage, timings, speculation } = rest;
    return { stopReason, stopToken, stopString, usage, timings, speculation };
  },

  async score(call, objects) {
    const [prompt, candidates, given, told] = call.args;
    return objects
      .context(call.target)
      .score(
        withoutFiles(prompt) as Parameters<Context["score"]>[0],
        candidates as Parameters<Context["score"]>[1],
        optionsWithUsage(given, told, call),
      );
  },

  async choose(call, objects) {
    const [prompt, choices, given, told] = call.args;
    return objects
      .context(call.target)
      .choose(
        withoutFiles(prompt) as Parameters<Context["choose"]>[0],
        choices as Parameters<Context["choose"]>[1],
        optionsWithUsage(given, told, call),
      );
  },

  async embed(call, objects) {
    const [input, given] = call.args;
    const options = { ...plainOptions(given), signal: call.signal };
    return objects.context(call.target).embed(input as string[], options);
  },

  async rank(call, objects) {
    const [query, documents] = call.args as [string, string[]];
    return objects.context(call.target).rank(query, documents, { signal: call.signal });
  },

  async stats(call, objects) {
    return objects.context(call.target).stats;
  },

  async openSession(call, objects) {
    const served: ServedSession = { context: call.target, turns: [] };
    objects.addSession(call.id, served);
    try {
      const around = {
        context: (id: number) => objects.context(id),
        execute: async (name: string, args: unknown, context: ToolContext) =>
          served.turns[0]?.execute(name, args, context),
      };
      const options = turnOptions(call.args[0], around);
      withoutFiles((options as { messages?: unknown }).messages);
      served.session = new ChatSession(objects.context(call.target), options);
      return changeOf(served.session, served);
    } catch (error) {
      served.failure = { error };
      throw error;
    }
  },

  async send(call, objects) {
    const [input, given, told] = call.args;
    const served = objects.session(call.target);
    if (served.failure !== undefined) throw served.failure.error;
    const { session } = served;
    if (session === undefined) throw disposedError("The session");
    const around = {
      context: (id: number) => objects.context(id),
      execute: call.execute.bind(call),
    };
    const turn = session.send(withoutFiles(input) as Parameters<ChatSession["send"]>[0], {
      ...turnOptions(given, around),
      ...(told === true && { onProgress: call.progress }),
    });
    call.stopBy(() => turn.cancel());
    served.turns.push(call);
    // At once when it ends, before the next turn changes the history.
    const ended = turn.result().finally(() => {
      served.turns.splice(served.turns.indexOf(call), 1); // one that was stopped need not be the first
      call.besides = changeOf(session, served);
    });
    ended.catch(() => {}); // told below
    await passOn(turn, call);
    return { result: await ended, history: call.besides };
  },

  async moderate(call, objects) {
    const [conversation, given, guard, told] = call.args;
    const judge = new LlamaGuard(objects.context(call.target), guardOptions(guard));
    return judge.moderate(conversation as Parameters<LlamaGuard["moderate"]>[0], {
      ...plainOptions(given),
      signal: call.signal,
      ...usageOf(told, call),
    });
  },
};

function guardOptions(given: unknown) {
  return given === undefined ? {} : plainOptions(given);
}

function optionsWithUsage(given: unknown, told: unknown, call: ServedCall) {
  return { ...plainOptions(given), signal: call.signal, ...usageOf(told, call) };
}

function usageOf(told: unknown, call: ServedCall) {
  return told === true ? { onUsage: (usage: unknown) => call.flow.tell(usage) } : {};
}

/** Chunks or events, each as the client has taken those before; whatever ends them ends the result, too. */
async function passOn(source: Generation | ChatTurn, { flow }: ServedCall): Promise<void> {
  const iterator = (source as AsyncIterable<unknown>)[Symbol.asyncIterator]();
  for (;;) {
    await flow.ready();
    const step = await iterator.next();
    if (step.done) return;
    if ((step.value as { type?: unknown }).type !== "finish") flow.send(step.value);
  }
}

/** Of what was there before, only results of tools that wait for others may move. */
function changeOf(session: ChatSession, served: ServedSession) {
  const { messages } = session;
  const from = Math.min(served.settled ?? 0, messages.length);
  served.settled = messages.findLastIndex(({ role }: ChatMessage) => role !== "tool") + 1;
  return { from, messages: messages.slice(from) };
}

const FACTS: readonly (keyof ModelFacts)[] = [
  "description",
  "architecture",
  "parameterCount",
  "sizeInBytes",
  "contextLength",
  "embeddingLength",
  "layerCount",
  "vocabularySize",
  "fingerprint",
  "loadOptions",
  "metadata",
  "chatTemplate",
  "media",
  "specialTokens",
];

function factsOf(model: ModelFacts): Record<string, unknown> {
  return Object.fromEntries(FACTS.map((name) => [name, model[name]]));
}
