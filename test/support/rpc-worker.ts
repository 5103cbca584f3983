import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { CLI, NODE } from "./paths.js";

/** A running `cria rpc-server`. */
export interface WorkerProcess {
  readonly url: string;
  readonly port: number;
  readonly child: ChildProcess;
  readonly ended: Promise<[number | null, NodeJS.Signals | null]>;
}

export async function startWorker(...args: string[]): Promise<WorkerProcess> {
  const child = spawn(NODE, [CLI, "rpc-server", "--port", "0", "--threads", "1", "-q", ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = once(child, "close") as WorkerProcess["ended"];
  const url = await new Promise<string>((resolve, reject) => {
    createInterface(child.stdout).once("line", resolve);
    void ended.then(([code]) => reject(new Error(`the worker ended with ${code}`)));
  });
  return { url, port: Number(/:(\d+)$/.exec(url)?.[1]), child, ended };
}

/** The numbers of the protocol's commands (ggml-rpc.cpp). */
export const COMMANDS = {
  allocate: 0,
  alignment: 1,
  free: 4,
  setTensor: 6,
  getTensor: 8,
  compute: 10,
  deviceMemory: 11,
  hello: 14,
  deviceCount: 15,
  recompute: 16,
} as const;

/** One byte of command, eight of length, and so much more. */
class CommandReader {
  #rest = Buffer.alloc(0);
  #skip = 0;

  /** The commands that begin in these bytes. */
  *read(bytes: Buffer): Generator<number> {
    const from = Math.min(this.#skip, bytes.length);
    this.#skip -= from;
    this.#rest = Buffer.concat([this.#rest, bytes.subarray(from)]);
    while (this.#rest.length >= 9) {
      const command = this.#rest.readUInt8(0);
      const size = 9 + Number(this.#rest.readBigUInt64LE(1));
      this.#skip = Math.max(size - this.#rest.length, 0);
      this.#rest = this.#rest.subarray(Math.min(size, this.#rest.length));
      yield command;
    }
  }
}

/** Stands between a client and a worker, and is told each command before it is passed on. */
export class Tap {
  onCommand: (command: number) => void = () => {};
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #target: number;

  private constructor(server: Server, target: number) {
    this.#server = server;
    this.#target = target;
    server.on("connection", (client) => this.#pass(client));
  }

  static async before({ port }: WorkerProcess): Promise<Tap> {
    const server = createServer();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new Tap(server, port);
  }

  get url(): string {
    return `rpc://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Connections that come from now on go there. */
  leadTo({ port }: WorkerProcess): void {
    this.#target = port;
  }

  /** Resolves when a client's next command of this kind is there, with what it is told then already done. */
  next(wanted: number, then: () => void): Promise<void> {
    return new Promise((resolve) => {
      this.onCommand = (command) => {
        if (command !== wanted) return;
        this.onCommand = () => {};
        then();
        resolve();
      };
    });
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #pass(client: Socket): void {
    const worker = connect(this.#target, "127.0.0.1");
    const reader = new CommandReader();
    for (const socket of [client, worker]) {
      this.#sockets.add(socket);
      socket.setNoDelay(true);
      socket.on("error", () => {});
      socket.on("close", () => {
        client.destroy();
        worker.destroy();
        this.#sockets.delete(socket);
      });
    }
    client.on("data", (bytes) => {
      for (const command of reader.read(bytes)) this.onCommand(command);
      worker.write(bytes);
    });
    worker.on("data", (bytes) => client.write(bytes));
  }
}

/** What answers each command with these bytes, or never. */
export async function startImpostor(
  answer: (command: number) => Buffer | undefined,
): Promise<{ url: string; close: () => void }> {
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    sockets.add(client);
    const reader = new CommandReader();
    client.on("error", () => {});
    client.on("data", (bytes) => {
      for (const command of reader.read(bytes)) {
        const reply = answer(command);
        if (reply !== undefined) client.write(reply);
      }
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `rpc://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** An answer of the protocol: its length, and these bytes. */
export function reply(bytes: Uint8Array): Buffer {
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(bytes.length));
  return Buffer.concat([length, bytes]);
}

/** The answer to a greeting, of the version that there is, or another. */
export function greeting(major = 7): Buffer {
  return reply(Buffer.concat([Buffer.from([major, 0, 0, 0]), Buffer.alloc(24)]));
}

export function number32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return reply(bytes);
}

export function number64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  return reply(bytes);
}
