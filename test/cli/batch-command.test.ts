import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { errorOf, inputFile, linesOf, outputFile, temporaryFolder } from "../support/batch.js";
import { cria, DEMO_MODEL } from "../support/cli.js";
import { writeLlava, writeSeeingModel } from "../support/tiny-projectors.js";

const folder = temporaryFolder();
const LINES = [
  { id: "a", prompt: "Once upon a time" },
  { id: "b", prompt: "In a small village" },
];

interface Choices {
  readonly choices: readonly { readonly text: string }[];
}

function batch(input: string, output: string, ...more: string[]): string[] {
  const common = ["--context-size", "256", "--max-tokens", "4"];
  return ["batch", DEMO_MODEL, input, "-o", output, ...common, ...more];
}

test("tells the measured sequences and a summary on stderr, nothing on stdout", async () => {
  const output = outputFile(folder);
  const { code, stdout, stderr } = await cria(batch(inputFile(folder, LINES), output));
  expect({ code, stdout }).toEqual({ code: 0, stdout: "" });
  expect(stderr).toMatch(
    /^--sequences \d+ \(tokens\/s by sequences: 1: \d+.*\n2 lines in \d+ s, \d+ tokens\/s in \(\d+ % cached\), \d+ tokens\/s out\n$/,
  );
  expect(linesOf(output)).toHaveLength(2);
});

test("reads standard input, and gives its summary as JSON", async () => {
  const output = outputFile(folder);
  const args = batch("-", output, "--format", "text", "--json", "--quiet", "--sequences", "2");
  const { code, stdout, stderr } = await cria(args, "One\n\nTwo\n");
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(JSON.parse(stdout)).toMatchObject({ done: 2, errors: 0, skipped: 0, interrupted: false });
  expect(
    linesOf(output)
      .map(({ custom_id }) => custom_id)
      .sort(),
  ).toEqual(["line-1", "line-3"]);
});

test("an output that would be stdout is refused: no run could go on with it", async () => {
  const refused = await cria(batch(inputFile(folder, LINES), "-"));
  expect(refused).toMatchObject({ code: 2, stdout: "" });
  expect(refused.stderr).toMatch(/--output/);
});

test("a schema, tools and a system message of the run's", async () => {
  const schema = join(folder, "schema.json");
  writeFileSync(
    schema,
    '{"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]}',
  );
  const tools = join(folder, "tools.json");
  const parameters = {
    type: "object",
    properties: { city: { type: "string" } },
    required: ["city"],
  };
  const tool = { type: "function", function: { name: "get_weather", parameters } };
  writeFileSync(tools, JSON.stringify([tool]));
  const more = ["--sequences", "2", "--temperature", "0", "--quiet", "--system", "Be brief."];
  const labelled = outputFile(folder);
  const input = inputFile(folder, [{ id: "a", prompt: "Is it?", maxTokens: 40 }]);
  await cria(batch(input, labelled, "--schema", schema, ...more));
  expect(linesOf(labelled)[0]).toMatchObject({
    response: { body: { object: "chat.completion" } },
    error: null,
  });
  const called = outputFile(folder);
  const question = { id: "a", prompt: "What is the weather in Lima?", maxTokens: 40 };
  await cria(
    batch(
      inputFile(folder, [{ ...question, toolChoice: "required" }]),
      called,
      "--tools",
      tools,
      ...more,
    ),
  );
  expect(JSON.stringify(linesOf(called))).toMatch(/"finish_reason":"tool_calls"/);
});

test("a chat template of the run's", async () => {
  const template = join(folder, "chat.jinja");
  writeFileSync(template, "{{ messages[-1].content }}");
  const more = ["--sequences", "2", "--temperature", "0", "--quiet", "--chat-template", template];
  const output = outputFile(folder);
  const hi = { id: "a", messages: [{ role: "user", content: "Hi" }] };
  await cria(batch(inputFile(folder, [hi]), output, ...more));
  const plain = outputFile(folder);
  await cria(batch(inputFile(folder, [{ id: "a", prompt: "Hi" }]), plain, ...more.slice(0, -2)));
  const [chat] = linesOf(output);
  const body = linesOf(plain)[0]?.response?.body as Choices | undefined;
  const choices = body?.choices ?? [];
  expect(choices).toHaveLength(1);
  const contents = choices.map(({ text }) => ({ message: { content: text } }));
  expect(chat?.response?.body).toMatchObject({ choices: contents });
  writeFileSync(template, "{{ 1 +");
  const broken = await cria(batch(inputFile(folder, [hi]), outputFile(folder), ...more));
  expect(broken).toMatchObject({ code: 1, stderr: expect.stringContaining("[ERR_TEMPLATE]") });
});

test("errors make exit code 1, and wrong usage 2, before a line is read", async () => {
  const output = outputFile(folder);
  const bad = inputFile(folder, [...LINES, "no json"]);
  const failed = await cria(batch(bad, output, "--sequences", "2", "--quiet"));
  expect(failed).toMatchObject({
    code: 1,
    stderr: `cria: 1 of 3 lines have an error (${output})\n`,
  });
  expect(errorOf(linesOf(output), "line-3")).toMatch(/^3 /);
  const again = await cria(batch(bad, output, "--sequences", "2"));
  expect(again.code).toBe(2);
  expect(again.stderr).toMatch(/exists/);
  expect((await cria(["batch", DEMO_MODEL, bad])).code).toBe(2);
  expect((await cria(batch(bad, output, "--format", "xml"))).code).toBe(2);
  const missing = await cria(batch(bad, output, "--schema", join(folder, "nowhere")));
  expect(missing).toMatchObject({ code: 1, stderr: expect.stringMatching(/schema file .*ENOENT/) });
});

test("--projector is the model's alone, not its guard's and its draft's", async () => {
  const [model, projector] = [join(folder, "sees.gguf"), join(folder, "llava.gguf")];
  writeSeeingModel(model, "llama");
  writeLlava(projector);
  const output = outputFile(folder);
  const flags = ["--context-size", "256", "--max-tokens", "2", "--sequences", "1", "--quiet"];
  const beside = ["--guard-model", DEMO_MODEL, "--guard-variant", "llama-guard-3-8b"];
  const input = inputFile(folder, [{ id: "a", prompt: "the" }]);
  const words = [model, input, "-o", output, "--projector", projector, ...beside, ...flags];
  expect(await cria(["batch", ...words])).toMatchObject({ code: 0, stderr: "" });
  expect(linesOf(output)).toHaveLength(1);
});
