import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { request } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { NODE, ROOT } from "../support/paths.js";

const DESKTOP = join(ROOT, "examples", "desktop");

let child: ChildProcessWithoutNullStreams;
let port: number;

beforeAll(async () => {
  child = spawn(NODE, [join(DESKTOP, "serve-page.mjs"), "0"]);
  const [address] = await once(createInterface(child.stdout), "line");
  port = Number(new URL(address as string).port);
});
afterAll(() => child.kill());

const headers = { host: "localhost:1" };

async function statusOf(path: string): Promise<number | undefined> {
  const asked = request({ port, path, headers }).end();
  const [response] = await once(asked, "response");
  response.resume();
  await once(response, "end");
  return response.statusCode;
}

test("a path that is none is refused, and the next request is answered", async () => {
  expect(await statusOf("//")).toBe(400);
  expect(await statusOf("/nothing")).toBe(404);
  expect(await statusOf("/")).toBe(200);
});

test("a message that breaks off is the end of its request alone", async () => {
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  socket.write("POST /port/1 HTTP/1.1\r\nHost: localhost:1\r\nContent-Length: 100\r\n\r\nhalf");
  // Sent and read in order: when this is answered, the half above is under way.
  expect(await statusOf("/nothing")).toBe(404);
  socket.resetAndDestroy();
  expect(await statusOf("/")).toBe(200);
  expect(child.exitCode).toBeNull();
});

test("of models with one name the first counts, which CRIA_MODEL is", () => {
  const { findModels } = require(join(DESKTOP, "model-files.cjs"));
  const own = join(ROOT, "elsewhere", "cria-demo.gguf");
  const before = process.env.CRIA_MODEL;
  process.env.CRIA_MODEL = own;
  try {
    expect(findModels({})).toEqual([{ name: "cria-demo", path: own }]);
  } finally {
    if (before === undefined) delete process.env.CRIA_MODEL;
    else process.env.CRIA_MODEL = before;
  }
});
