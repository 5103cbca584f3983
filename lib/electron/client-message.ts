import { isPlainObject } from "../internal/checks.js";
import { type ClientMessage, METHODS } from "./port-protocol.js";

/** What came over a port, where it is a message of the protocol. Arguments of calls are looked at by nobody yet. */
export function readClientMessage(data: unknown): ClientMessage | undefined {
  if (!isPlainObject(data)) return undefined;
  switch (data.type) {
    case "hello":
      return has(data, "protocol", isCount) ? (data as ClientMessage) : undefined;
    case "call": {
      const well =
        has(data, "id", isCount) &&
        has(data, "target", isCount) &&
        has(data, "method", (method) => METHODS.includes(method as (typeof METHODS)[number])) &&
        has(data, "args", Array.isArray);
      return well ? (data as ClientMessage) : undefined;
    }
    case "executed": {
      const { error } = data;
      const well =
        has(data, "id", isCount) &&
        has(data, "key", isCount) &&
        (error === undefined || typeof error === "string");
      return well ? (data as ClientMessage) : undefined;
    }
    case "ack":
    case "cancel":
    case "release":
      return has(data, "id", isCount) ? (data as ClientMessage) : undefined;
    case "goodbye":
      return { type: "goodbye" };
    default:
      return undefined;
  }
}

function has(
  data: Record<string, unknown>,
  name: string,
  is: (value: unknown) => boolean,
): boolean {
  return Object.hasOwn(data, name) && is(data[name]);
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
