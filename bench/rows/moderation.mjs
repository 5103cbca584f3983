// Many messages to be judged under one policy, as a service moderates what people write.

import { cria, perSecond } from "../sides.mjs";

const contextSize = 512;

/**
 * Both sides evaluate the same prompts, some 205 tokens of which 140 are the policy, and score two words.
 * The shared layout: in the other one each message is a stream of its own, of fewer rows than llama.cpp's
 * tiled flash attention takes.
 */
function moderation() {
  const work = ({ model, settings, repetitions, quick }, side) => {
    const messages = quick ? 24 : 200;
    const asked = { work: "moderate", contextSize, messages, model, repetitions };
    const layout = { settings: { ...settings, cacheLayout: "shared" } };
    return cria({ ...asked, ...layout, ...side }).then((times) => times.map(perSecond(messages)));
  };
  return {
    name: "moderation",
    title: "200 short messages under one policy",
    model: "90m",
    reference: "cria, one after the other, nothing in common",
    unit: "messages/s",
    wanted: { ratio: { atLeast: 3 } },
    repetitions: 1,
    a: (environment) => work(environment, { sequences: 1, alone: true }),
    b: (environment) => work(environment, { sequences: 8, alone: false }),
  };
}

export const moderations = [moderation()];
