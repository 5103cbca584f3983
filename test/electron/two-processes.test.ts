// The client and the engine in processes, and threads, of their own: the built package, real ports.
import { once } from "node:events";
import { join } from "node:path";
import { MessageChannel, Worker } from "node:worker_threads";
import { connect } from "../../lib/electron/electron-client.js";
import { Model } from "../../lib/index.js";
import { runScript } from "../support/child.js";
import { MODEL } from "../support/paths.js";

/** The client's process; what it saw is on its lines. */
async function client(way: string) {
  const { stdout, ...end } = await runScript("electron/client-process.cjs", { args: [way] });
  expect(end).toEqual({ code: 0, signal: null, stderr: "" });
  return stdout
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as unknown);
}

describe("two processes", () => {
  test("the engine is killed: all that is pending is told, and what comes later", async () => {
    const closed = "ERR_CONNECTION_CLOSED";
    expect(await client("kill")).toEqual([
      [closed, closed, closed, closed],
      [null, "SIGKILL"],
    ]);
  });

  test("the client lets go: the engine frees all and ends by itself", async () => {
    expect(await client("disconnect")).toEqual([[0, null]]);
  });

  test("the client is gone: the engine's process ends, too", async () => {
    expect(await client("exit")).toEqual([]);
  });

  test("an idle client does not keep its process alive", async () => {
    const end = await runScript("electron/idle-client.cjs");
    expect(end).toEqual({ code: 0, signal: null, stdout: "idle\n", stderr: "" });
  });
});

describe("two threads", () => {
  const engine = () => {
    const { port1, port2 } = new MessageChannel();
    const worker = new Worker(join(__dirname, "engine-process.cjs"), {
      workerData: port1,
      transferList: [port1],
      env: { ...process.env, CRIA_TEST_MODEL: MODEL },
    });
    return { worker, ...connect(port2) };
  };

  test("the text is that of a model of this thread", async () => {
    const { worker, Model: Remote, close, closed } = engine();
    const model = await Remote.load("demo");
    const context = await model.createContext({ contextSize: 512, threads: 1 });
    const options = { maxTokens: 60, temperature: 0 };
    const { text } = await context.generateText("Once upon a time", options);
    await using local = await Model.load(MODEL);
    await using here = await local.createContext({ contextSize: 512, threads: 1 });
    expect(text).toBe((await here.generateText("Once upon a time", options)).text);
    close();
    await closed;
    const [code] = await once(worker, "exit"); // nothing holds it
    expect(code).toBe(0);
  });

  test("the worker is terminated: nothing hangs", async () => {
    const { worker, Model: Remote, closed } = engine();
    const model = await Remote.load("held");
    const context = await model.createContext({ contextSize: 512, threads: 1 });
    const generation = context.generate("Once", { maxTokens: 400 });
    await generation[Symbol.asyncIterator]().next();
    await worker.terminate();
    await expect(generation.result()).rejects.toMatchObject({ code: "ERR_CONNECTION_CLOSED" });
    expect((await closed).code).toBe("ERR_CONNECTION_CLOSED");
    await Promise.all([context.dispose(), model.dispose()]);
  });
});
