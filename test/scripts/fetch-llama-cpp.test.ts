import { execFile, execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const scripts = resolve("scripts");

// A carrier of its own: a git bundle in an npm package on a registry on this machine.
let work: string;
let tarball: Buffer;
let commit: string;
let integrity: string;
let server: Server;
let registry: string;
/** How much of the tarball the registry sends before it hangs up. */
let sent: number;

function git(directory: string, ...args: string[]): string {
  const identity = ["-c", "user.name=cria", "-c", "user.email=cria@example.com"];
  return execFileSync("git", [...identity, ...args], { cwd: directory, encoding: "utf8" }).trim();
}

function makeCarrier(): void {
  const source = join(work, "source");
  mkdirSync(join(source, "include"), { recursive: true });
  git(source, "init", "--quiet");
  writeFileSync(join(source, "include", "llama.h"), "// a llama\n");
  git(source, "add", ".");
  git(source, "commit", "--quiet", "--message", "one");
  commit = git(source, "rev-parse", "HEAD");
  const carried = join(work, "package", "llama");
  mkdirSync(carried, { recursive: true });
  git(source, "bundle", "create", "--quiet", join(carried, "it.bundle"), "HEAD");
  const manifest = { name: "carrier", version: "1.0.0" };
  writeFileSync(join(work, "package", "package.json"), JSON.stringify(manifest));
  execFileSync("cmake", ["-E", "tar", "czf", "carrier.tgz", "package"], { cwd: work });
  tarball = readFileSync(join(work, "carrier.tgz"));
  integrity = `sha512-${createHash("sha512").update(tarball).digest("base64")}`;
}

beforeAll(async () => {
  work = mkdtempSync(join(tmpdir(), "cria-fetch-"));
  makeCarrier();
  server = createServer((request, response) => {
    if (request.url?.endsWith(".tgz")) {
      response.writeHead(200, { "content-length": tarball.length });
      response.write(tarball.subarray(0, sent), () => {
        if (sent < tarball.length) response.destroy();
        else response.end();
      });
      return;
    }
    const dist = { tarball: `${registry}/carrier.tgz`, integrity };
    response.setHeader("content-type", "application/json");
    response.end(
      JSON.stringify({
        name: "carrier",
        "dist-tags": { latest: "1.0.0" },
        versions: { "1.0.0": { name: "carrier", version: "1.0.0", dist } },
      }),
    );
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  registry = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(async () => {
  server.closeAllConnections();
  await new Promise((done) => server.close(done));
  rmSync(work, { recursive: true, force: true });
});

let target: string;
let home: string;

beforeEach(() => {
  sent = tarball.length;
  home = mkdtempSync(join(work, "home-")); // with an empty npm cache
  target = join(mkdtempSync(join(work, "target-")), "llama.cpp");
});

/** Runs the fetch in a process of its own; resolves to what it printed on its error stream. */
async function fetchInto(options: { commit?: string; integrity?: string; archive?: string } = {}) {
  const pin = {
    commit: options.commit ?? commit,
    carrier: {
      package: "carrier@1.0.0",
      integrity: options.integrity ?? integrity,
      bundle: "llama/it.bundle",
    },
  };
  const { archive } = options;
  return call("fetch-llama-cpp.mjs", "fetchLlamaCpp", { pin, target, registry, archive });
}

/** Calls what a script exports, with one argument. */
async function call(script: string, name: string, argument: object) {
  const program = `
    import { ${name} } from ${JSON.stringify(join(scripts, script))};
    await ${name}(${JSON.stringify(argument)});
  `;
  return run(process.execPath, ["--input-type=module", "--eval", program], {
    env: { ...process.env, HOME: home },
  });
}

const leftovers = () => readdirSync(resolve(target, ".."));

describe("the carrier package", () => {
  test("becomes a source tree that says which commit it is", async () => {
    await fetchInto();
    expect(readFileSync(join(target, "include", "llama.h"), "utf8")).toBe("// a llama\n");
    expect(readFileSync(join(target, ".commit"), "utf8")).toBe(`${commit}\n`);
    expect(leftovers()).toEqual(["llama.cpp"]);
  });

  test("with another hash is refused and leaves nothing", async () => {
    const other = `sha512-${createHash("sha512").update("other").digest("base64")}`;
    await expect(fetchInto({ integrity: other })).rejects.toThrow(/EINTEGRITY/);
    expect(leftovers()).toEqual([]);
  });

  test("cut off on the way is an error and leaves nothing", async () => {
    sent = Math.floor(tarball.length / 2);
    await expect(fetchInto()).rejects.toThrow();
    expect(leftovers()).toEqual([]);
  });

  test("with another commit inside is refused and leaves what was there", async () => {
    mkdirSync(target);
    writeFileSync(join(target, ".commit"), "older\n");
    await expect(fetchInto({ commit: "f".repeat(40) })).rejects.toThrow(/is pinned/);
    expect(leftovers()).toEqual(["llama.cpp"]);
    expect(readFileSync(join(target, ".commit"), "utf8")).toBe("older\n");
  });

  test("takes the place of an older tree", async () => {
    mkdirSync(target);
    writeFileSync(join(target, "old"), "");
    await fetchInto();
    expect(existsSync(join(target, "old"))).toBe(false);
    expect(existsSync(join(target, "include", "llama.h"))).toBe(true);
  });
});

describe("the packed archive", () => {
  async function pack(commitOfStamp: string): Promise<string> {
    const archive = join(work, `${commitOfStamp}.tar.xz`);
    const stamp = join(mkdtempSync(join(work, "stamp-")), ".commit");
    writeFileSync(stamp, `${commitOfStamp}\n`);
    const source = join(work, "source");
    const options = { source, commit: "HEAD", shipped: ["include"], stamp, archive };
    await call("source-archive.mjs", "packSource", options);
    return archive;
  }

  test("becomes the same source tree", async () => {
    await fetchInto({ archive: await pack(commit) });
    expect(readFileSync(join(target, "include", "llama.h"), "utf8")).toBe("// a llama\n");
    expect(readFileSync(join(target, ".commit"), "utf8")).toBe(`${commit}\n`);
  });

  test("of another commit is refused and leaves nothing", async () => {
    await expect(fetchInto({ archive: await pack("e".repeat(40)) })).rejects.toThrow(/is pinned/);
    expect(leftovers()).toEqual([]);
  });
});

describe("the command", () => {
  function command(env: NodeJS.ProcessEnv) {
    const { LLAMA_CPP_DIR, ...rest } = process.env;
    return spawnSync(process.execPath, [join(scripts, "fetch-llama-cpp.mjs")], {
      encoding: "utf8",
      env: { ...rest, ...env },
    });
  }

  test("needs no registry once the source is there", () => {
    const { status, stdout, stderr } = command({ npm_config_registry: "http://127.0.0.1:9" });
    expect(stderr).toBe("");
    expect(stdout.trim()).toBe(resolve(".llama.cpp"));
    expect(status).toBe(0);
  });

  test("answers with LLAMA_CPP_DIR where it is set", () => {
    const source = join(work, "source");
    expect(command({ LLAMA_CPP_DIR: source }).stdout.trim()).toBe(source);
  });

  test("refuses a LLAMA_CPP_DIR without llama.cpp in it", () => {
    const { status, stderr } = command({ LLAMA_CPP_DIR: home });
    expect(stderr).toContain("holds no llama.cpp");
    expect(status).toBe(1);
  });
});
