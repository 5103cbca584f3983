// An empty project of a user's, in a folder of its own, and commands that run in it as they would there.

import { spawn } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

/** What npm tells the scripts that it runs is not what a user's shell has. */
const environment = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^(npm_|CRIA_|INIT_CWD|NODE_OPTIONS)/.test(name)),
);

export class Project {
  #folder;

  constructor(folder) {
    this.#folder = folder;
  }

  /** `name`: of its folder, below one that is gone after `use`. */
  static async with(name, use) {
    const parent = await mkdtemp(path.join(tmpdir(), "cria-package-"));
    const folder = path.join(parent, name);
    try {
      await mkdir(folder);
      const project = new Project(folder);
      await project.write("package.json", JSON.stringify({ name: "a-user", private: true }));
      return await use(project);
    } finally {
      await rm(parent, { recursive: true, force: true });
    }
  }

  path(...parts) {
    return path.join(this.#folder, ...parts);
  }

  async write(name, text) {
    await mkdir(path.dirname(this.path(name)), { recursive: true });
    await writeFile(this.path(name), text);
  }

  /** The command's standard output. Throws with all that it said where it fails. */
  run(command, args, { env = {} } = {}) {
    return new Promise((resolve, reject) => {
      const child = spawn(command, args, {
        cwd: this.#folder,
        env: { ...environment, ...env },
        stdio: ["ignore", "pipe", "pipe"],
      });
      let stdout = "";
      let stderr = "";
      child.stdout.setEncoding("utf8").on("data", (text) => {
        stdout += text;
      });
      child.stderr.setEncoding("utf8").on("data", (text) => {
        stderr += text;
      });
      child.on("error", reject);
      child.on("close", (code, signal) => {
        if (code === 0) resolve(stdout);
        else {
          const said = `${stdout}\n${stderr}`.trim().slice(-2000);
          reject(new Error(`${[command, ...args].join(" ")}: ${signal ?? code}\n${said}`));
        }
      });
    });
  }

  /** A program of a package on the registry, in the version asked for. */
  runPackage(spec, program, args, options) {
    return this.run("npm", ["exec", "--yes", `--package=${spec}`, "--", program, ...args], options);
  }

  install(...specs) {
    return this.run("npm", ["install", "--no-audit", "--no-fund", ...specs]);
  }
}
