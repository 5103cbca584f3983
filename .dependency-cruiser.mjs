// Which way imports point in lib/, type imports included: a room knows those behind it in this list,
// never those in front of it, and nothing goes round in a circle. `npm run lint` asks.
const rooms = [
  "ai-sdk",
  "langchain",
  "cli",
  "electron",
  "server",
  "batch",
  "chat",
  "guard",
  "tools",
  "messages",
  "context",
  "generation",
  "embedding",
  "sampling",
  "schema",
  "model",
  "hub",
  "internal",
];

/**
 * `Model` makes contexts, which know their model as a `LoadedModel`: it stands above both rooms, as does what
 * estimates one with the other.
 */
const ABOVE = "^lib/model/(model|estimate-memory)\\.ts$";

const upwards = rooms.slice(1).map((room, i) => ({
  name: `from-${room}-upwards`,
  severity: "error",
  from: { path: `^lib/${room}/`, pathNot: ABOVE },
  to: { path: `^lib/(${rooms.slice(0, i + 1).join("|")})/` },
}));

/** @type {import("dependency-cruiser").IConfiguration} */
export default {
  forbidden: [
    { name: "circle", severity: "error", from: {}, to: { circular: true } },
    {
      name: "index-is-for-users",
      severity: "error",
      comment: "What is inside imports from where things are.",
      from: { path: "^lib/", pathNot: "^lib/index\\.ts$" },
      to: { path: "^lib/index\\.ts$" },
    },
    {
      name: "model-from-below",
      severity: "error",
      comment: "Rooms up to context know a LoadedModel.",
      from: { path: "^lib/(context|generation|embedding|sampling|schema|internal)/" },
      to: { path: ABOVE },
    },
    {
      name: "orphan",
      severity: "error",
      from: {
        orphan: true,
        path: "^lib/",
        pathNot:
          "^lib/(index|cli/main|ai-sdk/ai-sdk|langchain/langchain|server/create-server|electron/electron-(client|server))\\.ts$|^lib/page/public/",
      },
      to: {},
    },
    {
      name: "adapters-apart",
      severity: "error",
      comment: "Who uses one need not have the other.",
      from: { path: "^lib/ai-sdk/" },
      to: { path: "^lib/(langchain|cli)/" },
    },
    {
      name: "page-apart",
      severity: "error",
      comment: "The page runs in browsers, and knows nothing of the library behind its transport.",
      from: { path: "^lib/page/" },
      to: { path: "^lib/(?!page/)" },
    },
    {
      name: "nobody-imports-the-page",
      severity: "error",
      from: { path: "^lib/(?!page/)" },
      to: { path: "^lib/page/" },
    },
    ...upwards,
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    doNotFollow: { path: "node_modules" },
  },
};
