import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runNode } from "../support/child.js";
import { ROOT } from "../support/paths.js";

/** A project of a user's, with the built package in its node_modules. */
let project: string;

beforeAll(async () => {
  project = await mkdtemp(join(tmpdir(), "cria-consumer-"));
  await mkdir(join(project, "node_modules", "@types"), { recursive: true });
  await symlink(ROOT, join(project, "node_modules", "cria"), "dir");
  const nodeTypes = join("node_modules", "@types", "node");
  await symlink(join(ROOT, nodeTypes), join(project, nodeTypes), "dir");
  await cp(__dirname, project, { recursive: true });
});
afterAll(() => rm(project, { recursive: true }));

test("import and require give the same answers from the same engine", async () => {
  const esm = await runNode([join(project, "esm.mjs")]);
  const commonjs = await runNode([join(project, "commonjs.cjs")]);
  expect(esm).toMatchObject({ code: 0, signal: null, stderr: "" });
  expect(commonjs).toEqual(esm);
  const { text, path } = JSON.parse(esm.stdout) as { text: string; path: string };
  expect(text.length).toBeGreaterThan(0);
  expect(path).toMatch(/\.node$/);
});

test("what import gives and what require gives is one and the same", async () => {
  const { stdout, ...end } = await runNode([join(project, "both.mjs")]);
  expect(end).toEqual({ code: 0, signal: null, stderr: "" });
  expect(JSON.parse(stdout)).toEqual({ text: "both", known: [true, true] });
});

describe.each([
  ["NodeNext", "NodeNext", "module"],
  ["NodeNext", "NodeNext", "commonjs"],
  ["ESNext", "Bundler", "module"],
  ["CommonJS", "Node10", "commonjs"],
])("TypeScript with module %s, resolution %s, as %s", (module, moduleResolution, type) => {
  test("accepts a strict program, the package's own types checked", async () => {
    await writeFile(join(project, "package.json"), JSON.stringify({ type }));
    const compilerOptions = {
      module,
      moduleResolution,
      target: "ES2022",
      lib: ["ES2023", "ESNext.Disposable"],
      types: ["node"],
      strict: true,
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
      skipLibCheck: false,
      noEmit: true,
    };
    const config = join(project, "tsconfig.json");
    await writeFile(config, JSON.stringify({ compilerOptions, files: ["types.ts"] }));
    const tsc = join(ROOT, "node_modules", "typescript", "bin", "tsc");
    const end = await runNode([tsc, "--project", config]);
    expect(end).toEqual({ code: 0, signal: null, stdout: "", stderr: "" });
  });
});
