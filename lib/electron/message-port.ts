import { guarded, hasMembers } from "../internal/checks.js";
import { expected } from "../internal/errors.js";

/**
 * One end of a channel: the DOM's `MessagePort`, Electron's `MessagePortMain` or `parentPort`, the one of
 * `node:worker_threads`, or what acts like one of them.
 */
export interface PortLike {
  postMessage(message: unknown): void;
  start?(): void;
  close?(): void;
  // biome-ignore lint/suspicious/noExplicitAny: each kind of port has listeners of its own types
  addEventListener?(type: string, listener: (event: any) => void): void;
  // biome-ignore lint/suspicious/noExplicitAny: as above
  on?(type: string, listener: (event: any) => void): unknown;
  ref?(): void;
  unref?(): void;
}

/** What a port tells its owner. */
export interface PortListener {
  message(data: unknown): void;
  /** Once: the other side is gone, or what it said cannot be read. */
  closed(why: string): void;
}

/** @throws {CriaError} ERR_INVALID_ARGUMENT */
export function checkPort(port: unknown): PortLike {
  const listens =
    hasMembers(port, { addEventListener: "function" }) || hasMembers(port, { on: "function" });
  if (listens && hasMembers(port, { postMessage: "function" })) return port as PortLike;
  throw expected("a MessagePort", "port", port);
}

/** Listens to a port of any kind and starts it. */
export function listenTo(port: PortLike, { message, closed }: PortListener): void {
  let open = true;
  const end = (why: string) => {
    if (!open) return;
    open = false;
    closed(why);
  };
  guarded(port, "port", () => {
    const listen = port.addEventListener?.bind(port) ?? port.on?.bind(port);
    listen?.("message", (event) => {
      if (open) message(dataOf(event));
    });
    listen?.("messageerror", () => end("A message could not be read"));
    listen?.("close", () => end("The other side of the port is gone"));
    port.start?.();
  });
}

/** Events have their message in `data`; some emitters give it as it is. Messages have no such member. */
function dataOf(event: unknown): unknown {
  return hasMembers(event, { data: "object" }) ? (event as { data: unknown }).data : event;
}

/** The port is of no use afterwards. Never throws: it may be closed already. */
export function closePort(port: PortLike): void {
  try {
    port.close?.();
  } catch {
    // It was.
  }
}
