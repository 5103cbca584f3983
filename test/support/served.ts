import { once } from "node:events";
import { type ClientRequest, type IncomingMessage, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import OpenAI from "openai";
import { createServer, type ServerOptions } from "../../lib/server/create-server.js";

/** A server on a free port of this machine, with what tests ask it by. */
export interface ServedHttp {
  readonly server: Server;
  readonly url: string;
  readonly client: OpenAI;
  post(path: string, body: unknown, headers?: Record<string, string>): Promise<Response>;
  get(path: string, headers?: Record<string, string>): Promise<Response>;
  /** Resolves when all is over and given back. */
  close(): Promise<void>;
}

export async function served(options: ServerOptions): Promise<ServedHttp> {
  const server = createServer(options);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    server,
    url,
    client: new OpenAI({ baseURL: `${url}/v1`, apiKey: "none", maxRetries: 0 }),
    post: (path, body, headers = {}) =>
      fetch(`${url}${path}`, {
        method: "POST",
        headers: { "content-type": "application/json", ...headers },
        body: typeof body === "string" ? body : JSON.stringify(body),
      }),
    get: (path, headers = {}) => fetch(`${url}${path}`, { headers }),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** OpenAI's shape of an error, exactly. */
export const errorShape = (error: object) => ({
  error: {
    message: expect.any(String),
    type: expect.any(String),
    param: null,
    code: expect.any(String),
    ...error,
  },
});

/** A request whose connection is its own, and may be ended at any moment. */
export function rawPost(
  url: string,
  path: string,
  body: string,
): { readonly sent: ClientRequest; readonly answer: Promise<IncomingMessage> } {
  const sent = request(`${url}${path}`, {
    method: "POST",
    agent: false,
    headers: { "content-type": "application/json", "content-length": Buffer.byteLength(body) },
  });
  const answer = once(sent, "response").then(([response]) => response as IncomingMessage);
  answer.catch(() => {}); // it is gone
  sent.on("error", () => {});
  sent.end(body);
  return { sent, answer };
}

/** The events of a stream, their data parsed; "[DONE]" as it is. */
export function eventsOf(text: string): { readonly name?: string; readonly data: unknown }[] {
  const events = text.split("\n\n").filter((event) => event !== "" && !event.startsWith(":"));
  return events.map((event) => {
    const [, name] = /^event: (.*)$/m.exec(event) ?? [];
    const [, data = ""] = /^data: (.*)$/m.exec(event) ?? [];
    const parsed = data === "[DONE]" ? data : JSON.parse(data);
    return { ...(name !== undefined && { name }), data: parsed };
  });
}

/** An answer that goes on until the context is full: letters without an end. */
export const ENDLESS = {
  messages: [{ role: "user", content: "Hello" }],
  grammar: "root ::= [a-z] root",
  stream: true,
} as const;
