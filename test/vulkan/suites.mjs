// The suites of `npm run test:vulkan`. What is not run of them says why: what is promised to the bit holds on the
// CPU (docs/gpu.md).

export const suites = [
  { name: "gpu", files: ["test/vulkan"] },
  {
    name: "generation",
    files: [
      "test/generation/generation.test",
      "test/generation/sampling-options.test",
      "test/generation/logprobs",
      "test/generation/score.test",
    ],
  },
  {
    name: "batching",
    files: [
      "test/generation/generate-many",
      "test/context/queue.test",
      "test/context/context.test",
    ],
  },
  {
    name: "sequence",
    files: ["test/context/sequence"],
    without: [
      {
        because: "a token alone and a piece of a prompt are rounded differently on a GPU",
        tests: ["draw what a generation with the same seed draws"],
      },
    ],
  },
  {
    name: "embedding",
    files: ["test/embedding"],
    without: [
      {
        because: "its 12,000 texts take too long on lavapipe, and what it looks at is JS's",
        tests: ["memory does not grow with the texts"],
      },
      {
        because: "two texts beside each other are rounded differently on a GPU",
        tests: ["with halves of surrogate pairs are read as with U+FFFD"],
      },
    ],
  },
  { name: "abort", files: ["test/generation/generation-abort.test"] },
  { name: "lifetime", files: ["test/lifetime"] },
];
