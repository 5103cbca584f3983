import {
  readCompletionBody,
  readEmbeddingBody,
  readModerationBody,
} from "../../../lib/batch/input/openai-body.js";

const texts = (count: number) => Array.from({ length: count }, () => "a");

// A line of a few kilobytes could ask for more than a process has memory for.
test.each<[string, () => unknown, string]>([
  ["inputs to embed", () => readEmbeddingBody({ input: texts(2049) }), "body.input"],
  ["inputs to judge", () => readModerationBody({ input: texts(2049) }), "body.input"],
  ["prompts", () => readCompletionBody({ prompt: texts(2049) }), "body.prompt"],
  ["answers", () => readCompletionBody({ prompt: texts(600), n: 4 }), "body.n"],
  [
    "prompts of ids",
    () => readCompletionBody({ prompt: texts(2049).map(() => [1]) }),
    "body.prompt",
  ],
])("%s are at most 2,048 in a request", (_, read, name) => {
  expect(read).toThrow(
    expect.objectContaining({
      code: "ERR_INVALID_ARGUMENT",
      message: expect.stringMatching(/at most 2048 .*: ask in several/),
      details: { name },
    }),
  );
});

test("so many are taken", () => {
  expect(readEmbeddingBody({ input: texts(2048) }).inputs).toHaveLength(2048);
  expect(readModerationBody({ input: texts(2048) }).inputs).toHaveLength(2048);
  expect(readCompletionBody({ prompt: texts(512), n: 4 }).prompts).toHaveLength(512);
  // Ids are the tokens of one prompt.
  expect(readCompletionBody({ prompt: Array(5000).fill(1) }).prompts).toHaveLength(1);
});
