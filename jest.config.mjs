// They read symbol tables with nm and readelf; make links, pipes and modes.
const unixOnly = [
  "<rootDir>/test/scripts/check-binary\\.test\\.ts$",
  "<rootDir>/test/internal/replace-file\\.test\\.ts$",
];

// Needs the programs that scripts/sanitize.mjs builds, which sets this.
const sanitized = process.env.CRIA_TEST_PATIENCE !== undefined;
const sanitizedOnly = ["<rootDir>/test/fuzz/native/"];

/** @type {import("jest").Config} */
export default {
  testEnvironment: sanitized ? "<rootDir>/test/support/patient-environment.mjs" : "node",
  testMatch: ["<rootDir>/test/**/*.test.ts"],
  testPathIgnorePatterns: [
    ...(process.platform === "win32" ? unixOnly : []),
    ...(sanitized ? [] : sanitizedOnly),
  ],
  modulePathIgnorePatterns: ["<rootDir>/(\\.build|\\.llama\\.cpp|build|dist|prebuilds)/"],
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
  testTimeout: 30_000,
};
