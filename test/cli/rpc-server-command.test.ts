import { once } from "node:events";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { QUIET, runScript } from "../support/child.js";
import { cria, DEMO_MODEL } from "../support/cli.js";
import { startWorker } from "../support/rpc-worker.js";

test("says that it is insecure, and opens no port to a network unasked", async () => {
  const help = await cria(["rpc-server", "--help"]);
  expect(help.stdout).toContain("NO PASSWORD AND NO ENCRYPTION");
  for (const host of ["0.0.0.0", "::", "192.0.2.7"]) {
    const refused = await cria(["rpc-server", "--host", host]);
    expect(refused).toMatchObject({ code: 2, stdout: "" });
    expect(refused.stderr).toContain("--allow-network");
  }
});

test("warns where it is asked to listen to a network", async () => {
  // An address of documentation, which no machine has: nothing listens.
  const refused = await cria([
    "rpc-server",
    "--host",
    "192.0.2.7",
    "--allow-network",
    "--port",
    "0",
  ]);
  expect(refused.code).toBe(2);
  expect(refused.stderr).toContain("No worker can listen at 192.0.2.7");
});

test("refuses a port that is taken, and a device that there is not", async () => {
  const other = createServer().listen(0, "127.0.0.1");
  await once(other, "listening");
  const { port } = other.address() as AddressInfo;
  const taken = await cria(["rpc-server", "--port", String(port)]);
  other.close();
  expect(taken).toMatchObject({ code: 2, stdout: "" });
  expect(taken.stderr).toContain(`port ${port}`);
  const unknown = await cria(["rpc-server", "--port", "0", "--device", "CUDA7"]);
  expect(unknown).toMatchObject({ code: 2, stdout: "" });
  expect(unknown.stderr).toContain("CUDA7");
});

test.each(["SIGINT", "SIGTERM"] as const)("ends with %s, and lends until then", async (signal) => {
  const worker = await startWorker("--device", "CPU");
  const listed = await cria(["devices", worker.url, "--json"]);
  const { devices } = JSON.parse(listed.stdout);
  expect(devices.at(-1)).toMatchObject({ name: worker.url, type: "rpc" });
  expect((await cria(["devices", worker.url])).stdout).toContain(`${worker.url}  rpc, `);
  const sizes = ["--context", "256", "--gpu-layers", "all", "--device", worker.url];
  const info = await cria(["info", DEMO_MODEL, ...sizes]);
  expect(info.stdout).toMatch(new RegExp(`^${worker.url} +\\d.*GiB$`, "m"));
  const prompt = ["generate", DEMO_MODEL, "Once upon a time", "-q", "--temperature", "0"];
  const small = ["--max-tokens", "8", "--context-size", "256"];
  const local = await cria([...prompt, ...small]);
  const there = ["--device", worker.url, "--gpu-layers", "all"];
  expect(await cria([...prompt, ...small, ...there])).toEqual(local);
  worker.child.kill(signal);
  expect(await worker.ended).toEqual([0, null]);
  const gone = await cria([...prompt, ...there]);
  expect(gone).toMatchObject({ code: 1, stdout: "" });
  expect(gone.stderr).toContain("ERR_WORKER_UNREACHABLE");
});

test("keeps large tensors in a folder", async () => {
  const folder = await mkdtemp(join(tmpdir(), "cria-rpc-"));
  const worker = await startWorker("--cache", join(folder, "new"));
  try {
    const there = ["--device", worker.url, "--gpu-layers", "all", "--max-tokens", "1"];
    const prompt = ["generate", DEMO_MODEL, "Hello", "-q", "--context-size", "256"];
    expect((await cria([...prompt, ...there])).code).toBe(0);
    // The demo model's largest tensor may be below what ggml takes for large: the folder is there.
    expect(await readdir(join(folder, "new"))).toEqual(expect.any(Array));
  } finally {
    worker.child.kill();
    await rm(folder, { recursive: true });
  }
});

test.each([
  ["decode", "alive"],
  ["decode", "killed"],
  ["idle", "killed"],
  ["load", "stopped"],
])("the process exits during %s with a worker that is %s", async (phase, how) => {
  const end = await runScript("lifetime/rpc-exit.mjs", { args: [phase, how] });
  expect(end).toEqual({ ...QUIET, code: 7 });
});
