// The ways by which a package gets into a project, and by which a project is run or bundled.

import { obstacle, runInCleanSystem } from "./clean-system.mjs";
import { answer, bundled, commonjs, esm, generation } from "./program.mjs";

const model = "node_modules/cria/models/cria-demo.gguf";

function expectAnswer(output) {
  if (!output.includes(answer)) throw new Error(`Expected ${answer}, got ${output.slice(-500)}`);
}

async function runBoth(project, node = "node", before = []) {
  await project.write("esm.mjs", esm);
  await project.write("commonjs.cjs", commonjs);
  expectAnswer(await project.run(node, [...before, "esm.mjs"]));
  expectAnswer(await project.run(node, [...before, "commonjs.cjs"]));
}

/** Each package manager, with and without install scripts. */
function managers(tarball) {
  const npm = (version) => async (project, flags) => {
    await project.runPackage(`npm@${version}`, "npm", ["install", ...flags, tarball]);
    await runBoth(project);
    expectAnswer(
      await project
        .run("npm", [
          ...["exec", "--", "cria", "generate", "--temperature", "0", "--max-tokens", "4"],
          ...[model, "A llama"],
        ])
        .then((text) => `cria: ${text}`),
    );
  };
  const pnpm = async (project, flags) => {
    await project.runPackage("pnpm@10", "pnpm", ["add", ...flags, tarball]);
    await runBoth(project);
  };
  const yarn = (linker) => async (project, flags) => {
    const scripts = flags.length === 0;
    await project.write(
      ".yarnrc.yml",
      `nodeLinker: ${linker}\nenableScripts: ${scripts}\nenableTelemetry: false\nenableGlobalCache: false\n`,
    );
    await project.write("yarn.lock", "");
    const registry = (await project.run("npm", ["config", "get", "registry"])).trim();
    const env = { YARN_NPM_REGISTRY_SERVER: registry.replace(/\/$/, "") };
    const run = (...args) => project.runPackage("@yarnpkg/cli-dist@4", "yarn", args, { env });
    await run("add", `cria@file:${tarball}`);
    await project.write("esm.mjs", esm);
    await project.write("commonjs.cjs", commonjs);
    expectAnswer(await run("node", "esm.mjs"));
    expectAnswer(await run("node", "commonjs.cjs"));
  };
  const ways = {
    "npm 11": npm(11),
    "npm 12": npm(12),
    pnpm,
    "yarn, node_modules": yarn("node-modules"),
    "yarn, PnP": yarn("pnp"),
  };
  return Object.entries(ways).flatMap(([name, install]) => [
    { name, run: (project) => install(project, []) },
    { name: `${name}, no scripts`, run: (project) => install(project, ["--ignore-scripts"]) },
  ]);
}

const withPackages = (tarball, specs, run) => async (project) => {
  await project.install(tarball, ...specs);
  await run(project);
};

function bundlers(tarball) {
  const ran = async (project, file) =>
    expectAnswer(await project.run("node", [file, project.path(model)]));
  const esbuild = (format) => async (project) => {
    await project.write("app.mjs", bundled);
    const out = `out/app.${format === "esm" ? "mjs" : "cjs"}`;
    const flags = ["--bundle", "--platform=node", `--format=${format}`, "--external:cria"];
    await project.run("npx", ["esbuild", "app.mjs", ...flags, `--outfile=${out}`]);
    await ran(project, out);
  };
  const webpack = async (project) => {
    await project.write("app.mjs", bundled);
    await project.write(
      "webpack.config.cjs",
      `module.exports = { mode: "production", target: "node", entry: "./app.mjs", output: { filename: "app.cjs" },
        externals: { cria: "commonjs cria" } };`,
    );
    await project.run("npx", ["webpack"]);
    await ran(project, "dist/app.cjs");
  };
  const vite = async (project) => {
    await project.write("app.mjs", bundled);
    await project.run("npx", ["vite", "build", "--ssr", "app.mjs", "--outDir", "out"]);
    const js = (await project.run("node", ["-p", "fs.readdirSync('out')[0]"])).trim();
    await ran(project, `out/${js}`);
  };
  const next = async (project) => {
    await project.write("next.config.mjs", 'export default { serverExternalPackages: ["cria"] };');
    await project.write(
      "app/layout.js",
      "export default ({ children }) => <html><body>{children}</body></html>;",
    );
    await project.write(
      "app/page.js",
      `import { Model } from "cria";
       export default async function Page() {
         ${generation(JSON.stringify(project.path(model)))}
         return <p>{"cria: " + text}</p>;
       }`,
    );
    const env = { NEXT_TELEMETRY_DISABLED: "1" };
    await project.run("npx", ["next", "build"], { env });
    expectAnswer(
      await project.run("node", ["-p", "fs.readFileSync('.next/server/app/index.html', 'utf8')"]),
    );
  };
  return [
    { name: "esbuild, ESM", run: withPackages(tarball, ["esbuild"], esbuild("esm")) },
    { name: "esbuild, CommonJS", run: withPackages(tarball, ["esbuild"], esbuild("cjs")) },
    { name: "webpack", run: withPackages(tarball, ["webpack", "webpack-cli"], webpack) },
    { name: "Vite, SSR", run: withPackages(tarball, ["vite@7"], vite) },
    {
      name: "Next.js, serverExternalPackages",
      run: withPackages(tarball, ["next@15", "react@19", "react-dom@19"], next),
    },
  ];
}

function runners(tarball) {
  const suite = (head, file) => `${head}
    test("a llama", async () => {
      ${generation(JSON.stringify(file))}
      expect("cria: " + text).toBe(${JSON.stringify(answer)});
    });`;
  const jest = async (project) => {
    const file = project.path(model);
    await project.write("cria.test.js", suite('const { Model } = require("cria");', file));
    await project.run("npx", ["jest"]);
  };
  const vitest = async (project) => {
    const head = 'import { Model } from "cria"; import { expect, test } from "vitest";';
    await project.write("cria.test.mjs", suite(head, project.path(model)));
    await project.run("npx", ["vitest", "run"]);
  };
  return [
    { name: "Jest", run: withPackages(tarball, ["jest@30"], jest) },
    { name: "Vitest", run: withPackages(tarball, ["vitest@3"], vitest) },
  ];
}

function compilers(tarball) {
  const kinds = [
    ["node16", "Node16", "module"],
    ["node16", "Node16", "commonjs"],
    ["esnext", "bundler", "module"],
    ["commonjs", "node10", "commonjs"],
  ];
  return kinds.map(([module, moduleResolution, type]) => ({
    name: `TypeScript, ${moduleResolution}, ${type}`,
    run: withPackages(tarball, ["typescript@5", "@types/node@20"], async (project) => {
      const manifest = JSON.parse(
        await project.run("node", ["-p", "fs.readFileSync('package.json', 'utf8')"]),
      );
      await project.write("package.json", JSON.stringify({ ...manifest, type }));
      await project.write(
        "app.ts",
        'import { Model } from "cria";\nexport const load = (path: string) => Model.load(path);\n',
      );
      const flags = [
        "--module",
        module,
        "--moduleResolution",
        moduleResolution,
        "--target",
        "es2022",
      ];
      await project.run("npx", [
        "tsc",
        "--strict",
        "--noEmit",
        "--skipLibCheck",
        "false",
        ...flags,
        "app.ts",
      ]);
    }),
  }));
}

const oddNames = ["with spaces", "a#hash", "100%25 percent%", "ünï çødé 羊駝"];

function places(tarball) {
  return oddNames.map((folder) => ({
    name: `in a folder called ${folder}`,
    folder,
    run: withPackages(tarball, ["--ignore-scripts"], runBoth),
  }));
}

const wool = (output) => {
  if (!output.includes("wool")) throw new Error(`Expected an animal with wool, got ${output}`);
};

function systems(tarball) {
  return [
    {
      name: "a clean Debian 12, npm 12, no scripts, no compiler",
      obstacle,
      run: (project) => runInCleanSystem(project, tarball, { model, expectAnswer: wool }),
    },
  ];
}

/**
 * All cases: a name, a function of a project, what the project's folder is called, and a function that says
 * why it cannot be run here.
 */
export function allCases(tarball) {
  return [managers, compilers, bundlers, runners, places, systems].flatMap((group) =>
    group(tarball),
  );
}
