// npm run test:create: the Next.js template with the real Next.js, as a user has it: its packages from the registry, built,
// type-checked, started and asked. The registry has no cria to install, so a copy of what this checkout has built is put in
// its place. The other templates are run in create-cria.test.ts.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const ROOT = path.join(path.dirname(fileURLToPath(import.meta.url)), "..", "..");
/** What a package needs to answer: the library, the engine, the demo model, and its dependencies. */
const PARTS = ["package.json", "dist", "build/Release/cria.node", "models/cria-demo.gguf"];

const parent = await mkdtemp(path.join(tmpdir(), "cria-next-"));
const project = path.join(parent, "app");

async function run(command, ...args) {
  console.log(`── ${[path.basename(command), ...args].join(" ")}`);
  const child = spawn(command, args, {
    cwd: project,
    stdio: ["ignore", "inherit", "inherit"],
    env: { ...process.env, NEXT_TELEMETRY_DISABLED: "1" },
    shell: process.platform === "win32",
  });
  const [code] = await once(child, "close");
  assert.equal(code, 0, `${command} ended with ${code}`);
}

async function putCriaIn() {
  const { dependencies } = JSON.parse(await readFile(path.join(ROOT, "package.json"), "utf8"));
  const modules = path.join(project, "node_modules");
  for (const part of PARTS) {
    await cp(path.join(ROOT, part), path.join(modules, "cria", part), { recursive: true });
  }
  for (const name of Object.keys(dependencies)) {
    await cp(path.join(ROOT, "node_modules", name), path.join(modules, name), { recursive: true });
  }
}

async function ask() {
  const next = path.join(project, "node_modules", "next", "dist", "bin", "next");
  const server = spawn(process.execPath, [next, "start", "-p", "0", "-H", "127.0.0.1"], {
    cwd: project,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = once(server, "close");
  try {
    const url = await new Promise((resolve, reject) => {
      createInterface({ input: server.stdout }).on("line", (line) => {
        console.log(line);
        const [found] = /http:\/\/127\.0\.0\.1:\d+/.exec(line) ?? [];
        if (found) resolve(found);
      });
      ended.then(([code]) => reject(new Error(`next start ended with ${code}`)));
    });
    const page = await (await fetch(url)).text();
    assert.match(page, /What is a baby llama called\?/);
    const messages = [{ role: "user", content: "What is a baby llama called?" }];
    const body = JSON.stringify({ messages });
    const answer = await (await fetch(`${url}/api/chat`, { method: "POST", body })).text();
    assert.equal(answer, "A baby llama is called a cria.");
    console.log(answer);
  } finally {
    server.kill();
    await ended;
  }
}

try {
  const creator = path.join(ROOT, "packages", "create-cria", "create-cria.mjs");
  await new Promise((resolve, reject) => {
    spawn(process.execPath, [creator, project, "--template", "next"], { stdio: "inherit" })
      .once("error", reject)
      .once("close", resolve);
  });
  const manifestFile = path.join(project, "package.json");
  const manifest = await readFile(manifestFile, "utf8");
  const { cria: _, ...dependencies } = JSON.parse(manifest).dependencies;
  await writeFile(manifestFile, JSON.stringify({ ...JSON.parse(manifest), dependencies }));
  await run("npm", "install", "--no-audit", "--no-fund");
  await writeFile(manifestFile, manifest);
  await putCriaIn();
  await run("npm", "run", "build");
  await ask();
} finally {
  await rm(parent, { recursive: true, force: true });
}
