import { readChatBody } from "../batch/input/openai-body.js";
import type { ChatPlan } from "../batch/input/request-plans.js";
import { CriaError } from "../internal/errors.js";

/** A chat's messages that were made of a client's own kind. */
export interface MadeMessages {
  /** Which of the client's each was made of; undefined: of what stands apart there, the system's. */
  readonly places: readonly (number | undefined)[];
  /** The field that stands apart, such as "system". */
  readonly apart: string;
}

/** What fields of a chat's body are called in the client's, such as `["body.stop", "body.stop_sequences"]`. */
export type MadeFields = readonly (readonly [chat: string, own: string])[];

/**
 * A chat's body that was made of another one. What is wrong with it is told by the client's own fields.
 *
 * @throws {CriaError} ERR_INVALID_ARGUMENT, ERR_UNSUPPORTED
 */
export function readMadeChat(chat: object, fields: MadeFields, made: MadeMessages): ChatPlan {
  try {
    return readChatBody(chat);
  } catch (error) {
    throw renamed(inOwnMessages(error, made), (text) =>
      fields.reduce((told, [field, own]) => told.replaceAll(field, own), text),
    );
  }
}

/** An error that names a message of the chat names the client's: what is inside of that may be quite different. */
export function inOwnMessages(error: unknown, { places, apart }: MadeMessages): unknown {
  return renamed(error, (text) =>
    text.replace(/\b(body\.)?messages\[(\d+)\](\.content\b)?[\w.[\]]*/g, (...found) => {
      const [, body = "", index, content = ""] = found as string[];
      const place = places[Number(index)];
      return place === undefined ? `${body}${apart}` : `${body}messages[${place}]${content}`;
    }),
  );
}

function renamed(error: unknown, own: (text: string) => string): unknown {
  if (!CriaError.is(error)) return error;
  const { name } = error.details ?? {};
  return new CriaError(error.code, own(error.message), {
    details: { ...error.details, ...(typeof name === "string" && { name: own(name) }) },
    cause: error,
  });
}
