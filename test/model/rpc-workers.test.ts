import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  CriaError,
  estimateMemory,
  type LoadModelOptions,
  listWorkerDevices,
  Model,
} from "../../lib/index.js";
import { engine } from "../../lib/internal/engine-loader.js";
import { question } from "../support/demo.js";
import { MODEL } from "../support/paths.js";
import {
  COMMANDS,
  greeting,
  number32,
  number64,
  startImpostor,
  startWorker,
  Tap,
  type WorkerProcess,
} from "../support/rpc-worker.js";

const PROMPT = question("What is a llama?");
const GREEDY = { temperature: 0, maxTokens: 12 } as const;
const SMALL = { contextSize: 256, threads: 1 } as const;
const LOST = { code: "ERR_WORKER_UNREACHABLE", message: expect.stringContaining("is lost") };

async function answerOf(options: LoadModelOptions): Promise<string> {
  await using model = await Model.load(MODEL, options);
  await using context = await model.createContext(SMALL);
  return (await context.generate(PROMPT, GREEDY).result()).text;
}

/** What a promise rejects with. */
async function failureOf(promise: Promise<unknown>): Promise<CriaError> {
  const error = await promise.then(
    () => undefined,
    (reason) => reason,
  );
  if (!CriaError.is(error)) throw new Error(`no CriaError: ${error}`);
  return error;
}

let local: string;
beforeAll(async () => {
  local = await answerOf({ devices: ["CPU"] });
});

describe("two workers", () => {
  let workers: WorkerProcess[];
  beforeAll(async () => {
    workers = [await startWorker(), await startWorker()];
  });
  afterAll(() => {
    for (const { child } of workers) child.kill("SIGKILL");
  });
  const devices = () => workers.map(({ url }) => url);

  test("answer as this process does", async () => {
    expect(await answerOf({ devices: devices(), gpuLayers: "all" })).toBe(local);
  });

  test("share a model with this machine", async () => {
    const [first = ""] = devices();
    expect(await answerOf({ devices: [first, "CPU"], gpuLayers: 2 })).toBe(local);
  });

  test("serve several models and contexts of one process at the same time", async () => {
    const options = { devices: devices(), gpuLayers: "all", tensorSplit: [1, 3] } as const;
    const answers = Array.from({ length: 2 }, async () => {
      await using model = await Model.load(MODEL, options);
      const contexts = [await model.createContext(SMALL), await model.createContext(SMALL)];
      const texts = contexts.map(
        async (context) => (await context.generate(PROMPT, GREEDY).result()).text,
      );
      return await Promise.all(texts);
    });
    expect((await Promise.all(answers)).flat()).toEqual([local, local, local, local]);
  });

  // What a worker has computed last it can compute again, until a buffer is freed: anybody's.
  test("go on with a context while others come and go", async () => {
    const options = { devices: devices(), gpuLayers: "all", tensorSplit: [1, 3] } as const;
    await using model = await Model.load(MODEL, options);
    await using context = await model.createContext(SMALL);
    let text = "";
    for await (const piece of context.generate(PROMPT, GREEDY)) {
      text += piece.text;
      await (await model.createContext(SMALL)).dispose();
      await (await Model.load(MODEL, options)).dispose();
    }
    expect(text).toBe(local);
  });

  test("save, restore and fork a sequence", async () => {
    await using model = await Model.load(MODEL, { devices: devices(), gpuLayers: "all" });
    await using context = await model.createContext({ ...SMALL, sequences: 3 });
    const sequence = await context.createSequence();
    await sequence.evaluate(PROMPT);
    const fork = await sequence.fork();
    const folder = await mkdtemp(join(tmpdir(), "cria-rpc-"));
    await sequence.save(join(folder, "state"));
    const restored = await context.createSequence();
    await restored.restore(join(folder, "state"));
    await rm(folder, { recursive: true });
    const next = model.tokenize(" llama");
    const logits = [];
    for (const one of [sequence, fork, restored]) {
      await one.evaluate(next);
      logits.push(await one.logits());
    }
    expect(logits[1]).toEqual(logits[0]);
    expect(logits[2]).toEqual(logits[0]);
  });

  test.each(["mean", "none"] as const)(
    "embed, with pooling %s, as this process does",
    async (pooling) => {
      const vectors = async (options: LoadModelOptions) => {
        await using model = await Model.load(MODEL, options);
        await using context = await model.createContext({ ...SMALL, embeddings: true, pooling });
        return await context.embed("A llama lives in the mountains.");
      };
      const here = await vectors({ devices: ["CPU"] });
      const there = await vectors({ devices: devices(), gpuLayers: "all" });
      const product = (one: Float32Array, other: Float32Array) =>
        one.reduce((sum, value, at) => sum + value * (other[at] as number), 0);
      expect(there.length).toBe(here.length);
      expect(product(there, here) / product(here, here)).toBeCloseTo(1, 3);
    },
  );

  test("check what was guessed", async () => {
    await using model = await Model.load(MODEL, { devices: devices(), gpuLayers: "all" });
    const speculation = { type: "ngram" } as const;
    await using context = await model.createContext({ ...SMALL, speculation });
    expect((await context.generate(PROMPT, GREEDY).result()).text).toBe(local);
  });

  test("are told of in estimates, under their names", async () => {
    const estimate = await estimateMemory(MODEL, {
      devices: devices(),
      gpuLayers: "all",
      ...SMALL,
    });
    const { perDevice } = estimate;
    expect(perDevice.map(({ name, type }) => [name, type])).toEqual([
      ["CPU", "cpu"],
      ...devices().map((url) => [url, "rpc"]),
    ]);
    for (const { model, kvCache, memoryFree } of perDevice.slice(1)) {
      expect(model).toBeGreaterThan(0);
      expect(kvCache).toBeGreaterThan(0);
      expect(memoryFree).toBeGreaterThan(model);
    }
  });

  test("tell what they lend", async () => {
    const [url = ""] = devices();
    const found = await listWorkerDevices(url);
    expect(found).toEqual([
      {
        name: url,
        type: "rpc",
        description: expect.any(String),
        memoryTotal: expect.any(Number),
        memoryFree: expect.any(Number),
      },
    ]);
    expect(found[0]?.memoryTotal).toBeGreaterThan(2 ** 28);
  });

  test("are not split by tensors", async () => {
    const load = Model.load(MODEL, { devices: devices(), splitMode: "tensor" });
    expect(await failureOf(load)).toMatchObject({ code: "ERR_UNSUPPORTED" });
  });
});

describe("a worker that dies", () => {
  let worker: WorkerProcess;
  /** Started ahead, since a process takes its time. */
  let spare: Promise<WorkerProcess>;
  let tap: Tap;
  beforeAll(async () => {
    spare = startWorker();
    worker = await startWorker();
    tap = await Tap.before(worker);
  });
  afterAll(async () => {
    tap.close();
    for (const { child } of [worker, await spare]) child.kill("SIGKILL");
  });

  const load = (options: LoadModelOptions = {}) =>
    Model.load(MODEL, { devices: [tap.url], gpuLayers: "all", ...options });
  const kill = () => void worker.child.kill("SIGKILL");

  /** The process lives, and a worker that is back serves a new load, beside what is left of the old one. */
  async function expectRecovery(): Promise<void> {
    worker.child.kill("SIGKILL"); // of a test that only stopped it
    await worker.ended;
    worker = await spare;
    spare = startWorker();
    tap.leadTo(worker);
    expect(await answerOf({ devices: [tap.url], gpuLayers: "all" })).toBe(local);
  }

  test.each(["deviceCount", "alignment", "allocate", "setTensor"] as const)(
    "during a load (%s) fails the load",
    async (command) => {
      const killed = tap.next(COMMANDS[command], kill);
      const failure = await failureOf(load());
      await killed;
      expect(failure).toMatchObject({ code: "ERR_WORKER_UNREACHABLE" });
      await expectRecovery();
    },
  );

  // Else it would be measured how long a piece takes to be sent.
  test("has computed a piece of a prompt before the next one is sent", async () => {
    await using model = await load();
    await using context = await model.createContext({
      ...SMALL,
      microBatchSize: 64,
      batchSize: 64,
    });
    const commands: number[] = [];
    tap.onCommand = (command) => void commands.push(command);
    const prompt = model.tokenize("llama ".repeat(240)).slice(0, 4 * 60);
    await context.generate(prompt, { maxTokens: 1 }).result();
    tap.onCommand = () => {};
    const computes: number[] = [COMMANDS.compute, COMMANDS.recompute];
    const answered: number[] = [COMMANDS.deviceMemory, COMMANDS.getTensor];
    const kindOf = (command: number) =>
      computes.includes(command) ? "C" : answered.includes(command) ? "A" : "";
    const order = commands.map(kindOf).join("");
    expect(order).toMatch(/(C+A+){4}/);
  });

  test("while a context is created fails that", async () => {
    await using model = await load();
    const killed = tap.next(COMMANDS.allocate, kill);
    expect(await failureOf(model.createContext(SMALL))).toMatchObject(LOST);
    await killed;
    expect(await failureOf(model.createContext(SMALL))).toMatchObject(LOST);
    await expectRecovery();
  });

  test.each(["setTensor", "compute", "getTensor"] as const)(
    "during a prompt (%s) fails the generation and the context",
    async (command) => {
      await using model = await load();
      await using context = await model.createContext(SMALL);
      const killed = tap.next(COMMANDS[command], kill);
      expect(await failureOf(context.generate(PROMPT, GREEDY).result())).toMatchObject(LOST);
      await killed;
      expect(await failureOf(context.generate(PROMPT, GREEDY).result())).toMatchObject(LOST);
      await expectRecovery();
    },
  );

  test("while the state of a sequence is read fails what reads it", async () => {
    await using model = await load();
    await using context = await model.createContext({ ...SMALL, sequences: 2 });
    const sequence = await context.createSequence();
    await sequence.evaluate(PROMPT);
    const folder = await mkdtemp(join(tmpdir(), "cria-rpc-"));
    const killed = tap.next(COMMANDS.getTensor, kill);
    expect(await failureOf(sequence.save(join(folder, "state")))).toMatchObject(LOST);
    await killed;
    await rm(folder, { recursive: true });
    await expectRecovery();
  });

  test("between two tokens fails all that runs", async () => {
    await using model = await load();
    await using context = await model.createContext({ ...SMALL, sequences: 2 });
    let read = 0;
    tap.onCommand = (command) => {
      if (command === COMMANDS.getTensor && ++read === 6) kill();
    };
    const first = context.generate(PROMPT, GREEDY);
    const second = context.generate(question("Where do llamas live?"), GREEDY);
    expect(await failureOf(first.result())).toMatchObject(LOST);
    expect(await failureOf(second.result())).toMatchObject(LOST);
    await expectRecovery();
  });

  test("while nothing is asked of it is noticed with the next question", async () => {
    await using model = await load();
    await using context = await model.createContext(SMALL);
    kill();
    await worker.ended;
    expect(await failureOf(context.generate(PROMPT, GREEDY).result())).toMatchObject(LOST);
    await expectRecovery();
  });

  test("lets everything be disposed of", async () => {
    const model = await load();
    const context = await model.createContext(SMALL);
    kill();
    await worker.ended;
    await context.dispose();
    await model.dispose();
    await expectRecovery();
  });

  test("ends the contexts of both workers' models, and no others", async () => {
    const other = await startWorker();
    try {
      await using model = await load({ devices: [tap.url, other.url] });
      await using context = await model.createContext(SMALL);
      await using alone = await Model.load(MODEL, { devices: [other.url], gpuLayers: "all" });
      await using safe = await alone.createContext(SMALL);
      const killed = tap.next(COMMANDS.compute, kill);
      expect(await failureOf(context.generate(PROMPT, GREEDY).result())).toMatchObject(LOST);
      await killed;
      expect((await safe.generate(PROMPT, GREEDY).result()).text).toBe(local);
      await expectRecovery();
    } finally {
      other.child.kill("SIGKILL");
    }
  });

  test("or only stands still is lost after its time", async () => {
    await using model = await load({ workerTimeout: 1000 });
    await using context = await model.createContext(SMALL);
    const stopped = tap.next(COMMANDS.compute, () => void worker.child.kill("SIGSTOP"));
    const failure = await failureOf(context.generate(PROMPT, GREEDY).result());
    await stopped;
    expect(failure).toMatchObject(LOST);
    expect(failure.message).toContain("silent for 1 s");
    await expectRecovery();
  });

  test("or stands still does not hold a load that is aborted", async () => {
    const aborting = new AbortController();
    const stopped = tap.next(COMMANDS.setTensor, () => {
      worker.child.kill("SIGSTOP");
      aborting.abort(new Error("enough"));
    });
    await expect(load({ signal: aborting.signal })).rejects.toThrow("enough");
    await stopped;
    await expectRecovery();
  });
});

describe("loads that are aborted while their worker stands still", () => {
  let workers: WorkerProcess[];
  let taps: Tap[];
  beforeEach(async () => {
    workers = [await startWorker(), await startWorker()];
    taps = await Promise.all(workers.map((worker) => Tap.before(worker)));
  });
  afterEach(() => {
    for (const tap of taps) tap.close();
    for (const { child } of workers) child.kill("SIGKILL");
  });
  const at = <T>(all: readonly T[], index: number) => all[index] as T;

  function load(index: number, { signal }: AbortController) {
    const loading = Model.load(MODEL, { devices: [at(taps, index).url], gpuLayers: "all", signal });
    loading.catch(() => {});
    return loading;
  }
  /** Resolves with the load once its worker has stopped, which it waits for an answer of. */
  async function stuck(index: number, aborting: AbortController) {
    const { child } = at(workers, index);
    const stopped = at(taps, index).next(COMMANDS.allocate, () => void child.kill("SIGSTOP"));
    const loading = load(index, aborting);
    await stopped;
    return { loading };
  }
  const enough = (aborting: AbortController) => aborting.abort(new Error("enough"));

  test("leave others the connection that they made", async () => {
    const first = new AbortController();
    const { loading } = await stuck(0, first);
    const second = load(0, new AbortController());
    enough(first);
    // One that began later, and is given up: so the first one's time is over, too.
    const later = new AbortController();
    const { loading: alone } = await stuck(1, later);
    enough(later);
    await expect(alone).rejects.toThrow("enough");
    at(workers, 0).child.kill("SIGCONT");
    await expect(loading).rejects.toThrow("enough");
    await (await second).dispose();
  });

  test("end together where nobody else waits for it", async () => {
    const all = [new AbortController(), new AbortController()] as const;
    const { loading: first } = await stuck(0, all[0]);
    const second = load(0, all[1]);
    for (const aborting of all) enough(aborting);
    await expect(first).rejects.toThrow("enough");
    await expect(second).rejects.toThrow("enough");
  });
});

describe("no worker", () => {
  const load = (url: string, options: LoadModelOptions = {}) =>
    failureOf(Model.load(MODEL, { devices: [url], ...options }));
  const UNREACHABLE = { code: "ERR_WORKER_UNREACHABLE" };

  test("where nothing listens", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    const { port } = await new Promise<AddressInfo>((resolve) =>
      server.once("listening", () => resolve(server.address() as AddressInfo)),
    );
    await new Promise((resolve) => server.close(resolve));
    const failure = await load(`rpc://127.0.0.1:${port}`);
    expect(failure).toMatchObject(UNREACHABLE);
    expect(failure.message).toContain(`rpc://127.0.0.1:${port}`);
    expect(failure.message).toContain("rpc-server");
  });

  test("where a web server answers", async () => {
    const server = createServer((_, response) => response.end("hello")).listen(0, "127.0.0.1");
    const { port } = await new Promise<AddressInfo>((resolve) =>
      server.once("listening", () => resolve(server.address() as AddressInfo)),
    );
    // It may wait for the end of a line.
    const failure = await load(`rpc://127.0.0.1:${port}`, { workerTimeout: 500 });
    expect(failure).toMatchObject(UNREACHABLE);
    server.closeAllConnections();
    server.close();
  });

  const rubbish = Buffer.from("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
  const answers: Record<string, (command: number) => Buffer | undefined> = {
    "nothing ever": () => undefined,
    "rubbish to a greeting": () => rubbish,
    "another version": () => greeting(6),
    "rubbish after the greeting": (command) => (command === COMMANDS.hello ? greeting() : rubbish),
    "no devices": (command) => (command === COMMANDS.hello ? greeting() : number32(0)),
    "four billion devices": (command) =>
      command === COMMANDS.hello ? greeting() : number32(2 ** 32 - 1),
    "an alignment of three": (command) =>
      command === COMMANDS.hello
        ? greeting()
        : command === COMMANDS.deviceCount
          ? number32(1)
          : number64(3n),
  };
  test.each(Object.keys(answers))("where %s is answered", async (kind) => {
    const impostor = await startImpostor(answers[kind] as (command: number) => Buffer | undefined);
    try {
      const failure = await load(impostor.url, { workerTimeout: 500 });
      expect(failure).toMatchObject(UNREACHABLE);
      expect(failure.message).toContain("no worker that can be used");
    } finally {
      impostor.close();
    }
  });

  // Those that take the connection and say nothing: busy workers do so.
  test("that answers holds nobody up who asks another one", async () => {
    const worker = await startWorker();
    const mute = await Promise.all(Array.from({ length: 3 }, () => startImpostor(() => undefined)));
    let ended = 0;
    const refused = mute.map(({ url }) =>
      failureOf(listWorkerDevices(url)).finally(() => {
        ended += 1;
      }),
    );
    try {
      expect(await listWorkerDevices(worker.url)).toHaveLength(1);
      expect(ended).toBe(0);
      for (const { close } of mute) close();
      for (const failure of await Promise.all(refused)) expect(failure).toMatchObject(UNREACHABLE);
    } finally {
      for (const { close } of mute) close();
      worker.child.kill("SIGKILL");
    }
  });

  test("is asked what it lends", async () => {
    const impostor = await startImpostor(() => greeting(8));
    try {
      expect(await failureOf(listWorkerDevices(impostor.url))).toMatchObject(UNREACHABLE);
    } finally {
      impostor.close();
    }
  });

  test.each([
    "rpc://",
    "rpc://host:0",
    "rpc://host:65536",
    "rpc:host",
    "rpc://a b:1",
    "rpc://[::g]:1",
  ])("in the URL %s", async (url) => {
    expect(await load(url)).toMatchObject({ code: "ERR_INVALID_ARGUMENT" });
  });

  test("twice, however it is written", async () => {
    const load = Model.load(MODEL, { devices: ["rpc://localhost", "RPC://LOCALHOST:50052/"] });
    expect(await failureOf(load)).toMatchObject({ code: "ERR_INVALID_ARGUMENT" });
  });
});

describe("a worker in this process", () => {
  const start = (port: number, devices: string[]) =>
    engine().addon.startRpcServer({ address: "127.0.0.1", port, threads: 1, devices, cache: "" });

  test("takes a port only where it can lend its devices, and gives it back", async () => {
    const first = start(0, ["CPU"]);
    first.stop();
    await first.ended;
    expect(() => start(first.port, ["nope"])).toThrow(/Expected names from listDevices/);
    const again = start(first.port, ["CPU"]);
    expect(again.port).toBe(first.port);
    again.stop();
    await again.ended;
  });
});
