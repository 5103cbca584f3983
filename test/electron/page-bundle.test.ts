// What pages load: one file without anything of Node, which runs where there is only a browser's world.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createContext, runInContext } from "node:vm";
import { MessageChannel } from "node:worker_threads";
import { transform } from "esbuild";
import type * as client from "../../lib/electron/electron-client.js";
import { serve } from "../../lib/electron/electron-server.js";
import { DIST, MODEL } from "../support/paths.js";

const source = () => readFile(join(DIST, "electron-page.js"), "utf8");

test("imports nothing and names nothing of Node", async () => {
  const code = await source();
  expect(code).not.toMatch(/\bimport\s*[({"']|\bfrom\s*["']|\brequire\b/);
  expect(code).not.toMatch(/\b(process|Buffer|__filename|__dirname|globalThis\.global)\b\s*[.[(]/);
  expect(code.length).toBeLessThan(64 * 1024);
});

test("runs in a bare world and talks to an engine", async () => {
  const { code } = await transform(await source(), { format: "iife", globalName: "cria" });
  const world = createContext({
    ...{ AbortController, AbortSignal, DOMException, queueMicrotask },
  });
  const { connect, ChatSession, CriaError } = runInContext(`${code}; cria`, world) as typeof client;
  const { port1, port2 } = new MessageChannel();
  const served = serve(port1, { models: { demo: MODEL } });
  const { Model, close } = connect(port2);
  const error = await Model.load("x").catch((caught: unknown) => caught);
  expect(CriaError.is(error) && error.code).toBe("ERR_MODEL_NOT_FOUND");
  const model = await Model.load("demo");
  const context = await model.createContext({ contextSize: 1024, threads: 1 });
  const session = new ChatSession(context, { temperature: 0, date: "26 Jul 2024" });
  let text = "";
  for await (const event of session.send("What is a baby llama called?")) {
    if (event.type === "text") text += event.text;
  }
  expect(text).toBe("A baby llama is called a cria.");
  close();
  await served.closed;
});
