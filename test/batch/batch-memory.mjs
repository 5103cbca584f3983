// A million lines through everything but a model: argv: the built runner, the output, how many lines.
import { setImmediate } from "node:timers";

const [, , runner, output, count] = process.argv;
const { runWith } = await import(runner);

function* requests(length) {
  for (let index = 0; index < length; index++) yield { id: `request-${index}`, prompt: "short" };
}

const body = { object: "text_completion", choices: [{ index: 0, text: "answer" }] };
const answer = { body, promptTokens: 1, cachedTokens: 0, completionTokens: 1 };
const engine = {
  capacity: () => 64,
  prepare: (plan) => ({
    lane: "generation",
    prefix: plan.prompts[0],
    start: () => new Promise((resolve) => setImmediate(resolve, answer)),
  }),
};

let first;
let most = 0;
const onProgress = ({ done }) => {
  const { rss } = process.memoryUsage();
  if (done >= 1000) first ??= rss;
  if (first !== undefined) most = Math.max(most, rss);
};
const options = { output, engine, onProgress };
const run = await runWith({ ...options, input: requests(Number(count)) });
const resumed = await runWith({ ...options, input: requests(Number(count)), resume: true });
console.log(JSON.stringify({ run, resumed, first, most }));
