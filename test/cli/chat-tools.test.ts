import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { cria, DEMO_MODEL } from "../support/cli.js";
import { DIST } from "../support/paths.js";

let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "cria-tools-"));
});
afterAll(() => rm(directory, { recursive: true }));

const GREEDY = ["--temperature", "0", "--max-tokens", "60"];

const IMPORT = `import { defineTool } from ${JSON.stringify(String(pathToFileURL(join(DIST, "index.js"))))};`;
const PARAMETERS = `{
  type: "object",
  properties: { city: { type: "string", description: "The name of the city" } },
  required: ["city"],
}`;
const WEATHER = `name: "get_weather", description: "Get the current weather for a city",
  parameters: ${PARAMETERS}`;
const SUNNY = 'execute: ({ city }) => ({ temperature: 21, condition: "sunny" })';

async function chatWith(source: string, lines: string[], ...args: string[]) {
  const file = join(directory, "tools.mjs");
  await writeFile(file, source);
  return cria(
    ["chat", DEMO_MODEL, ...GREEDY, "--tools", file, ...args],
    lines.map((line) => `${line}\n`).join(""),
  );
}

const QUESTION = "What is the weather in Lisbon?";

describe.each([
  [
    "of defineTool, by the default export",
    `${IMPORT} export default [defineTool({ ${WEATHER}, ${SUNNY} })];`,
  ],
  ["plain, by the name", `export const tools = [{ ${WEATHER}, ${SUNNY} }];`],
  [
    "in OpenAI's shape, with `execute`",
    `export default [{ type: "function", function: { ${WEATHER}, strict: true }, ${SUNNY} }];`,
  ],
])("a tool %s", (_, source) => {
  test("is called, and its result answered with", async () => {
    const { code, stdout, stderr } = await chatWith(source, [QUESTION]);
    expect(stdout).toBe("It is 21 degrees and sunny in Lisbon.\n");
    const [call, result, summary] = stderr.split("\n");
    expect(call).toMatch(/^get_weather\(\{"city": ?"Lisbon"\}\)$/);
    expect(result).toBe('get_weather: {"temperature":21,"condition":"sunny"}');
    expect(summary).toMatch(/^1 answer, \d+ tokens in \d+ ms/);
    expect(code).toBe(0);
  });
});

test("--quiet leaves the answer", async () => {
  const { stdout, stderr } = await chatWith(
    `export default [{ ${WEATHER}, ${SUNNY} }];`,
    [QUESTION],
    "--quiet",
  );
  expect({ stdout, stderr }).toEqual({
    stdout: "It is 21 degrees and sunny in Lisbon.\n",
    stderr: "",
  });
});

test("what a tool throws is told to the model, and shown without moving the cursor", async () => {
  const throwing = 'execute: () => { throw new Error("no \\u001b[2Jweather"); }';
  const { code, stderr } = await chatWith(`export default [{ ${WEATHER}, ${throwing} }];`, [
    QUESTION,
  ]);
  expect(stderr).toContain("get_weather failed: no \\u001b[2Jweather\n");
  expect(code).toBe(0);
});

test("/tools lists them", async () => {
  const { stdout } = await chatWith(
    `export default [
      { ${WEATHER}, ${SUNNY} },
      { name: "wait", parameters: { type: "object", properties: { days: {} } }, execute() {} },
    ];`,
    ["/tools"],
  );
  expect(stdout).toBe("get_weather(city)  Get the current weather for a city\nwait(days?)\n");
});

describe("refused before the model is loaded", () => {
  test.each([
    ["no array", "export default 1;", "exports no tools: it needs an array"],
    ["nothing exported", "", "exports no tools: it needs an array"],
    ["a syntax error", "export default [", "cannot be imported: SyntaxError"],
    ["an error", 'throw new TypeError("broken");', "cannot be imported: TypeError: broken"],
    ["no Error", "throw null;", "cannot be imported: null"],
    ["another file that is missing", 'import "./gone.mjs";', "gone.mjs"],
    ["no tool", "export default [1];", "tool 1 of 1: Expected a tool for `tool`, got 1"],
    [
      "a misspelt option",
      `export default [{ ${WEATHER}, excute() {} }];`,
      "did you mean `execute`?",
    ],
    [
      "no execute",
      `export default [{ ${WEATHER}, ${SUNNY} }, { ${WEATHER} }];`,
      "tool 2 of 2: Expected a function, since nobody else answers a call here, for `tool.execute`",
    ],
    ["a name of its own", "export default [{ name: 'a b', execute() {} }];", "`tool.name`"],
  ])("%s", async (_, source, message) => {
    const { code, stdout, stderr } = await chatWith(source, [QUESTION]);
    expect(stderr).toContain(message);
    expect(stderr).not.toMatch(/^ +at /m);
    expect(stdout).toBe("");
    expect(code).not.toBe(0);
  });

  test("a file that is missing", async () => {
    const { code, stderr } = await cria(["chat", DEMO_MODEL, "--tools", "gone.mjs"]);
    expect(stderr).toMatch(/^cria: The tools file cannot be read: ENOENT.*gone\.mjs'\n$/);
    expect(code).toBe(1);
  });

  test("two of one name", async () => {
    const twice = `const tool = { ${WEATHER}, ${SUNNY} }; export default [tool, tool];`;
    const { code, stderr } = await chatWith(twice, [QUESTION]);
    expect(stderr).toContain("Two tools have the name");
    expect(code).toBe(2);
  });

  test("--grammar beside --tools", async () => {
    const { code, stderr } = await cria(["chat", DEMO_MODEL, "--tools", "a", "--grammar", "b"]);
    expect(stderr).toContain("Give --tools or --grammar");
    expect(code).toBe(2);
  });
});
