// What a guard adds to a turn of a chat: to the first text, and to the whole.

import { cria } from "../sides.mjs";

/** Each context has half of the threads, as beside another: the guard works while the model writes. */
function moderatedChat(direction, titles) {
  const work = ({ model, settings, repetitions, quick }, guarded) => {
    const threads = Math.max(1, settings.threads >> 1);
    return cria({
      ...{ work: "moderated-chat", guarded, model, repetitions },
      ...{ contextSize: 2048, tokens: quick ? 64 : 256, sentences: 8 },
      settings: { ...settings, threads },
    });
  };
  return {
    name: `moderated-${direction}`,
    model: "90m",
    reference: "cria, without a guard",
    a: (environment) => work(environment),
    b: (environment) => work(environment, direction),
    figures: Object.entries(titles).map(([key, title]) => ({
      name: `moderated-${direction}-${key}`,
      key,
      title,
      unit: "ms",
    })),
  };
}

export const moderatedChats = [
  moderatedChat("input", { first: "to the first text, input judged" }),
  moderatedChat("output", {
    first: "to the first text, answer judged by sentences",
    total: "to the end of 256 tokens, answer judged by sentences",
  }),
];
