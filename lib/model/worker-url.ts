import { isIPv6 } from "node:net";
import { invalid, show } from "../internal/errors.js";

/** Where `cria rpc-server` listens by itself, as llama.cpp's. */
export const WORKER_PORT = 50_052;
const SCHEME = "rpc://";

/** Whether a device's name is a worker's URL. */
export function isWorkerUrl(device: string): boolean {
  return /^rpc:/i.test(device);
}

/** In the one form that the engine takes, with the port. */
export function workerUrl(device: string, name: string): string {
  const host = /^rpc:\/\/(\[[^\]/]+\]|[^\s/:@?#[\]]+)(?::(\d{1,5}))?\/?$/i.exec(device);
  const [, address = "", port = String(WORKER_PORT)] = host ?? [];
  const bare = address.replace(/^\[|\]$/g, "");
  const known = address.startsWith("[") ? isIPv6(bare) : address !== "";
  if (known && Number(port) >= 1 && Number(port) <= 65_535) {
    return `${SCHEME}${address.toLowerCase()}:${Number(port)}`;
  }
  throw invalid(
    `Expected a worker in \`${name}\` as rpc://host:port or rpc://[IPv6 address]:port, got ${show(device)}`,
    { name },
  );
}
