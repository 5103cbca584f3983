// Another llama.cpp: fetches a version, tells what changed for cria, and writes the pin where it is asked to.

import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { runChecks, stepsOf } from "./bump-checks.mjs";
import { bumpReport } from "./bump-report.mjs";
import { fromCarrier, sourceCommit } from "./fetch-llama-cpp.mjs";

const log = (line) => console.error(`cria: ${line}`);

const usage = `Usage: npm run llama-cpp:bump -- VERSION [options]

VERSION is one of the npm package that carries llama.cpp (node-llama-cpp), such as 3.22.1 or latest. Without options
it fetches that into a temporary folder, compares it with the pinned one and tells what changed: declarations of the
headers that native/ reaches, and who uses them; templates, grammars and vocabularies of the tests; sources that
native/ counts on; options of the build; what is shipped.

  --write       writes version, commit and integrity into scripts/llama-cpp.json
  --check       builds the engine from it, runs the tests that compare with llama.cpp, and names what broke;
                the build replaces build/Release: npm run build:native brings the pinned one back
  --keep DIR    leaves the source there, for LLAMA_CPP_DIR
  --help`;

class Refused extends Error {}

function readOptions() {
  let parsed;
  try {
    parsed = parseArgs({
      options: {
        write: { type: "boolean", default: false },
        check: { type: "boolean", default: false },
        keep: { type: "string" },
        help: { type: "boolean", default: false },
      },
      allowPositionals: true,
    });
  } catch (error) {
    throw new Refused(`${error.message}\n\n${usage}`);
  }
  const { values, positionals } = parsed;
  if (values.help) return values;
  const [version, ...more] = positionals;
  if (version === undefined || more.length > 0) {
    throw new Refused(`Expected one version, got ${positionals.length}\n\n${usage}`);
  }
  // A version, a range or a tag of the carrier; never another package, folder or address.
  if (!/^[\w.^~+-]+$/.test(version)) {
    throw new Refused(`Expected a version such as 3.22.1, got "${version}"`);
  }
  return { ...values, version };
}

/** The pin as it would be. Who carries it tells llama.cpp's own version beside the bundle. */
async function pinOf(pin, { commit, carrier, integrity }) {
  const name = pin.carrier.package.replace(/(?<=.)@.*$/, "");
  const manifest = JSON.parse(await readFile(path.join(carrier, "package.json"), "utf8"));
  const info = path.join(path.dirname(pin.carrier.bundle), "llama.cpp.info.json");
  const { tag } = JSON.parse(await readFile(path.join(carrier, info), "utf8"));
  return {
    ...pin,
    version: tag.replace(/^v(?=\d)/, ""),
    commit,
    carrier: { ...pin.carrier, package: `${name}@${manifest.version}`, integrity },
  };
}

/** The pinned tree: the one that was built from, or another copy of it. */
async function pinnedTree(pin, { root, folder, registry }) {
  const built = path.join(root, ".llama.cpp");
  if ((await sourceCommit(built)) === pin.commit) return built;
  log(`fetching llama.cpp ${pin.version}, the pinned one`);
  const { source, commit } = await fromCarrier(pin, path.join(folder, "pinned"), registry);
  if (commit !== pin.commit)
    throw new Error(`${pin.carrier.package} holds ${commit}, not ${pin.commit}`);
  return source;
}

/**
 * Compares, prints, and resolves with the exit code.
 *
 * @param root the checkout whose pin it is
 * @param registry in place of the configured one
 */
export async function bump({ root, version, write, check, keep, registry }) {
  const pinFile = path.join(root, "scripts", "llama-cpp.json");
  const pin = JSON.parse(await readFile(pinFile, "utf8"));
  const name = pin.carrier.package.replace(/(?<=.)@.*$/, "");
  const folder = await mkdtemp(path.join(tmpdir(), "cria-bump-"));
  try {
    log(`fetching ${name}@${version} (35 MB)`);
    const wanted = { carrier: { package: `${name}@${version}`, bundle: pin.carrier.bundle } };
    const fetched = await fromCarrier(wanted, path.join(folder, "new"), registry);
    const next = await pinOf(pin, fetched);
    const before = await pinnedTree(pin, { root, folder, registry });
    console.log(
      `# llama.cpp ${pin.version} (${pin.carrier.package}) → ${next.version} (${next.carrier.package})\n`,
    );
    const { lines } = bumpReport({ root, before, after: fetched.source });
    console.log(lines.join("\n"));
    if (keep !== undefined) await cp(fetched.source, path.resolve(keep), { recursive: true });
    if (write) await writePin(pinFile, next);
    return check ? await checked(root, fetched.source, folder) : 0;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function writePin(pinFile, pin) {
  await writeFile(pinFile, `${JSON.stringify(pin, null, 2)}\n`);
  log(`wrote ${pinFile}: npm run build:native builds it`);
}

async function checked(root, tree, folder) {
  const steps = stepsOf({ tree, results: path.join(folder, "jest.json") });
  const broken = await runChecks({ root, steps, log });
  console.log("\n## Build and tests");
  console.log(broken.length === 0 ? "nothing broke" : broken.map((line) => `- ${line}`).join("\n"));
  return broken.length === 0 ? 0 : 1;
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  try {
    const options = readOptions();
    const root = fileURLToPath(new URL("..", import.meta.url));
    if (options.help) console.log(usage);
    else process.exitCode = await bump({ root, ...options });
  } catch (error) {
    log(error.message);
    process.exitCode = error instanceof Refused ? 2 : 1;
  }
}
