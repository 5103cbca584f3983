// They read symbol tables with nm and readelf; make links, pipes and modes.
const unixOnly = [
  "<rootDir>/test/scripts/check-binary\\.test\\.ts$",
  "<rootDir>/test/internal/replace-file\\.test\\.ts$",
];

// Needs util-linux's `script`: macOS has another one, and Windows none.
const linuxOnly = ["<rootDir>/test/cli/terminal-chat\\.test\\.ts$"];

// Needs the programs that scripts/sanitize.mjs builds, which sets this.
const sanitized = process.env.CRIA_TEST_PATIENCE !== undefined;
const sanitizedOnly = ["<rootDir>/test/fuzz/native/"];

// Needs a GPU, or what scripts/test-vulkan.mjs makes, which sets this.
const vulkan = process.env.CRIA_TEST_BACKEND === "vulkan";
const vulkanOnly = ["<rootDir>/test/vulkan/"];

// Needs a Python that has OpenAI's package, which this names.
const pythonOnly = ["<rootDir>/test/server/python-client\\.test\\.ts$"];

const common = {
  testEnvironment: sanitized ? "<rootDir>/test/support/patient-environment.mjs" : "node",
  testPathIgnorePatterns: [
    ...(process.platform === "win32" ? unixOnly : []),
    ...(process.platform === "linux" ? [] : linuxOnly),
    ...(sanitized ? [] : sanitizedOnly),
    ...(vulkan ? [] : vulkanOnly),
    ...(process.env.CRIA_TEST_PYTHON === undefined ? pythonOnly : []),
  ],
  modulePathIgnorePatterns: ["<rootDir>/(\\.build|\\.llama\\.cpp|build|dist|packages|prebuilds)/"],
  // Sources name each other as Node will see them, "./model.js".
  moduleNameMapper: { "^(\\.{1,2}/.*)\\.js$": "$1" },
  transform: {
    "^.+\\.ts$": [
      "@swc/jest",
      {
        jsc: { parser: { syntax: "typescript" }, target: "es2022" },
        module: { type: "commonjs" },
        sourceMaps: "inline",
      },
    ],
  },
};

/** What is compared with llama.cpp's own results, or with cria's under other circumstances. */
const exactness = [
  "context/sequence",
  "embedding/embed",
  "generation/checkpoints",
  "generation/exactness",
  "generation/greedy",
  "generation/logprobs",
  "generation/score",
  "sampling/sampler-reference",
];

const native = {
  ...common,
  displayName: "native",
  testMatch: ["<rootDir>/test/**/*.test.ts"],
};

/** The instructions of prebuilds, which round in another way than most machines' own. */
const portable = {
  ...common,
  displayName: "portable",
  testMatch: [
    ...exactness.map((name) => `<rootDir>/test/${name}.test.ts`),
    "<rootDir>/test/native/core.test.ts",
  ],
  setupFiles: ["<rootDir>/test/support/portable.ts"],
};

/** @type {import("jest").Config} */
export default {
  // Contexts take all processors, but half of what tests do is to wait for processes. One worker would be jest's
  // own process, whose heap grows with each suite until there is no more: others are replaced before that.
  maxWorkers: sanitized ? 1 : 2,
  workerIdleMemoryLimit: "1GB",
  // No test measures time by it: it is there for what would never end.
  testTimeout: 300_000,
  // A sanitizer has a build of its own.
  projects: sanitized ? [native] : [native, portable],
};
