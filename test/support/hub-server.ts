import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** What was asked, as the server saw it. */
export interface Asked {
  readonly host: "hub" | "storage";
  readonly path: string;
  readonly range: string | undefined;
  readonly authorization: string | undefined;
}

/** A request to a file's bytes, to be answered as a test wants it. */
export interface FileExchange {
  readonly asked: Asked;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly file: Buffer;
  readonly from: number;
  /** Behind the last byte. */
  readonly to: number;
  /** Answers as it should be, with other headers where they are given. */
  answer(headers?: Record<string, string>): void;
}

export const COMMIT = "c0ffee".padEnd(40, "0");
export const REPOSITORY = "cria/tiny-GGUF";

/**
 * A hub and the storage that it redirects to, each a host of its own, on this machine alone. Tests put their hands
 * into `onRequest` and `onFile`.
 */
export class HubServer {
  readonly files = new Map<string, Buffer>();
  readonly asked: Asked[] = [];
  /** Bytes of bodies that went to the storage's clients. */
  sent = 0;
  commit = COMMIT;
  /** Entries of the hub's list that are no files of this server, or lie about them. */
  listed: ((list: Record<string, unknown>[]) => Record<string, unknown>[]) | undefined;
  /** True where the test has answered itself. */
  onRequest: ((asked: Asked, response: ServerResponse) => boolean) | undefined;
  onFile: ((exchange: FileExchange) => void) | undefined;
  readonly #hub: Server;
  readonly #storage: Server;

  static async start(): Promise<HubServer> {
    const server = new HubServer();
    for (const each of [server.#hub, server.#storage]) {
      each.listen(0, "127.0.0.1");
      await once(each, "listening");
    }
    return server;
  }

  private constructor() {
    this.#hub = createServer((request, response) => this.#onHub(request, response));
    this.#storage = createServer((request, response) => this.#onStorage(request, response));
  }

  get endpoint(): string {
    return addressOf(this.#hub);
  }

  get storage(): string {
    return addressOf(this.#storage);
  }

  /** As if nobody had asked anything. */
  reset(): void {
    this.files.clear();
    this.asked.length = 0;
    this.sent = 0;
    this.commit = COMMIT;
    this.listed = undefined;
    this.onRequest = undefined;
    this.onFile = undefined;
  }

  stop(): void {
    for (const each of [this.#hub, this.#storage]) {
      each.close();
      each.closeAllConnections();
    }
  }

  #see(host: Asked["host"], request: IncomingMessage): Asked {
    const { range, authorization } = request.headers;
    const asked = { host, path: request.url ?? "", range, authorization };
    this.asked.push(asked);
    return asked;
  }

  #onHub(request: IncomingMessage, response: ServerResponse): void {
    const asked = this.#see("hub", request);
    if (this.onRequest?.(asked, response)) return;
    const [, api] = /^\/api\/models\/[^/]+\/[^/]+\/(.*)$/.exec(asked.path) ?? [];
    if (api !== undefined) {
      json(response, api.startsWith("tree/") ? this.#list() : { sha: this.commit });
      return;
    }
    const [, path = ""] = /^\/[^/]+\/[^/]+\/resolve\/[^/]+\/(.*)$/.exec(asked.path) ?? [];
    const file = this.files.get(decodeURIComponent(path));
    if (file === undefined) return void response.writeHead(404).end("not there");
    response.writeHead(302, {
      location: `${this.storage}/${path}?signature=secret`,
      "x-linked-etag": `"${sha256(file)}"`,
      "x-linked-size": String(file.length),
      "x-repo-commit": this.commit,
    });
    response.end();
  }

  #list(): Record<string, unknown>[] {
    const list = [...this.files].map(([path, file]) => ({
      ...{ type: "file", path, size: file.length, oid: "0".repeat(40) },
      lfs: { oid: sha256(file), size: file.length, pointerSize: 134 },
    }));
    return this.listed?.(list) ?? list;
  }

  #onStorage(request: IncomingMessage, response: ServerResponse): void {
    const asked = this.#see("storage", request);
    const path = decodeURIComponent(new URL(asked.path, this.storage).pathname.slice(1));
    const file = this.files.get(path);
    if (this.onRequest?.(asked, response)) return;
    if (file === undefined) return void response.writeHead(404).end();
    const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(asked.range ?? "") ?? [];
    const from = Number(first ?? 0);
    const to = Math.min(file.length, Number(last ?? file.length - 1) + 1);
    const answer = (headers: Record<string, string> = {}) => {
      this.sent += to - from;
      response.writeHead(
        asked.range === undefined ? 200 : 206,
        headersOf(file, from, to, asked, headers),
      );
      response.end(file.subarray(from, to));
    };
    const exchange = { asked, request, response, file, from, to, answer };
    if (this.onFile === undefined) answer();
    else this.onFile(exchange);
  }

  /** Sends so many bytes of the answer and then ends the connection. */
  cut({ response, file, from, to, asked }: FileExchange, length: number): void {
    this.sent += length;
    response.writeHead(asked.range === undefined ? 200 : 206, headersOf(file, from, to, asked));
    response.write(file.subarray(from, from + length), () => response.destroy());
  }
}

function headersOf(
  file: Buffer,
  from: number,
  to: number,
  { range }: Asked,
  others: Record<string, string> = {},
): Record<string, string> {
  return {
    "content-length": String(to - from),
    etag: `"${sha256(file).slice(0, 16)}"`,
    ...(range !== undefined && { "content-range": `bytes ${from}-${to - 1}/${file.length}` }),
    ...others,
  };
}

function json(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(value));
}

export function sha256(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function addressOf(server: Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
