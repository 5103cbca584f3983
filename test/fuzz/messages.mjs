// Conversations of any shape, most of them near what is taken: refused with a code, or a prompt in
// which nothing of a user's became a control token.
import fc from "fast-check";
import { Model, promptToString, renderChat, renderGuardPrompt } from "../../dist/index.js";
import { demandCode, fuzz, MODEL } from "./runner.mjs";

const model = await Model.load(MODEL, { vocabOnly: true });

const controls = ["<|eot_id|>", "<|start_header_id|>", "<|end_header_id|>", "<|begin_of_text|>"];
const text = fc.oneof(
  fc.string({ unit: "binary", maxLength: 30 }),
  fc
    .array(
      fc.oneof(fc.constantFrom(...controls, "<|eot", "_id|>", "\n\n", "{{ x }}"), fc.string()),
      {
        maxLength: 5,
      },
    )
    .map((pieces) => pieces.join("")),
);
const content = fc.oneof(
  { weight: 5, arbitrary: text },
  {
    weight: 2,
    arbitrary: fc.array(fc.record({ type: fc.constant("text"), text }), { maxLength: 3 }),
  },
  { weight: 1, arbitrary: fc.anything() },
);
const id = fc.constantFrom("a", "b", undefined, "", null);
const call = fc.record(
  {
    id,
    type: fc.constantFrom("function", "function", undefined, "custom"),
    function: fc.record({
      name: fc.oneof(fc.constantFrom("look", "get_time"), fc.string()),
      arguments: fc.oneof(fc.json(), fc.dictionary(fc.string(), fc.jsonValue()), fc.constant("{")),
    }),
  },
  { requiredKeys: ["function"] },
);
const message = fc.oneof(
  fc.record({ role: fc.constantFrom("user", "system", "developer"), content }),
  fc.record(
    {
      role: fc.constant("assistant"),
      content: fc.oneof(content, fc.constant(null)),
      tool_calls: fc.array(call, { maxLength: 2 }),
    },
    { requiredKeys: ["role"] },
  ),
  fc.record(
    {
      role: fc.constant("tool"),
      content: fc.oneof(content, fc.jsonValue()),
      tool_call_id: id,
      name: fc.constantFrom("look", "other"),
    },
    { requiredKeys: ["role", "content"] },
  ),
  fc.record({ role: fc.string(), content }),
);
const messages = fc.array(message, { maxLength: 6 });
const options = fc.record(
  {
    format: fc.constantFrom("llama-3", "llama-3.1", "llama-3.2", "template", "auto"),
    addGenerationPrompt: fc.boolean(),
    toolsInUserMessage: fc.boolean(),
    date: fc.oneof(text, fc.date({ noInvalidDate: false })),
    tools: fc.array(
      fc.record({
        type: fc.constant("function"),
        function: fc.record({
          name: fc.constantFrom("look", "get_time"),
          description: text,
          parameters: fc.dictionary(fc.string(), fc.jsonValue(), { maxKeys: 3 }),
        }),
      }),
      { maxLength: 2 },
    ),
    templateVariables: fc.dictionary(fc.string(), fc.jsonValue(), { maxKeys: 2 }),
  },
  { requiredKeys: [] },
);

/** Control tokens that the prompt has at most: each message, and the tools, bring a few. */
function checkPrompt(prompt, count) {
  const found = prompt.filter((segment) => segment.control !== undefined).length;
  if (found > 1 + 4 * (count + 2)) throw new Error(`${found} control tokens for ${count} messages`);
  promptToString(prompt, model);
  for (const segment of prompt) {
    if (segment.control !== undefined && model.tokenId(segment.control) === null) {
      throw new Error(`${segment.control} is no control token`);
    }
  }
}

/** What the model's own vocabulary makes of it has no more control tokens than the prompt says. */
function checkTokens(prompt) {
  const end = model.specialTokens.eot;
  for (const { text: part } of prompt) {
    if (part !== undefined && model.tokenize(part).includes(end)) {
      throw new Error(`A text became a control token: ${JSON.stringify(part)}`);
    }
  }
}

await fuzz([
  {
    name: "render",
    share: 3,
    arbitrary: fc.tuple(messages, options),
    run: async ([given, more]) => {
      const prompt = await demandCode(() => renderChat(given, { ...more, model }));
      if (prompt === undefined) return;
      checkPrompt(prompt, given.length);
      checkTokens(prompt);
    },
  },
  {
    name: "guard",
    arbitrary: fc.oneof(messages, text),
    run: async (given) => {
      const prompt = await demandCode(() => renderGuardPrompt(given));
      if (prompt !== undefined) checkTokens(prompt);
    },
  },
]);
await model.dispose();
