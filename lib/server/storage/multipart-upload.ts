import type { Readable } from "node:stream";
import { Busboy } from "@fastify/busboy";
import { untilAborted } from "../../internal/abort.js";
import { messageOf } from "../../internal/errors.js";
import type { Exchange } from "../exchange.js";
import { HttpError } from "../http-errors.js";
import type { FileDraft, FileStore } from "./file-store.js";

/** A form with one file, which is written as it comes. */
export interface Upload {
  readonly fields: ReadonlyMap<string, string>;
  readonly filename: string;
  readonly draft: FileDraft;
}

/** Of a file's name, which goes into lists. */
const MAX_NAME = 255;
const LIMITS = {
  ...{ fieldSize: 1024, fields: 8, files: 1, parts: 10 },
  ...{ headerPairs: 16, headerSize: 8192 },
};

/**
 * Reads a form of `multipart/form-data` whose file is called "file".
 *
 * @throws {HttpError} 400, 413, 415; the signal's reason. Nothing of the file is left then
 */
export async function readUpload(exchange: Exchange, store: FileStore): Promise<Upload> {
  const { request, signal } = exchange;
  const parser = openParser(exchange);
  const fields = new Map<string, string>();
  let file: { stream: Readable; filename: string; written: Promise<FileDraft> } | undefined;
  const parsed = new Promise<void>((resolve, reject) => {
    const refuse = (message: string) => reject(malformed(message));
    for (const limit of ["partsLimit", "filesLimit", "fieldsLimit"] as const) {
      parser.on(limit, () => refuse("The form has more parts than a file and what is said of it"));
    }
    parser.on("field", (name: unknown, value: string, _: boolean, cut: boolean) => {
      if (typeof name !== "string") refuse("A part of the form has no name");
      else if (fields.has(name)) refuse(`The form has two fields called ${name}`);
      else if (cut) refuse(`The form's field ${name} is too long`);
      else fields.set(name, value);
    });
    parser.on("file", (name: unknown, stream: Readable, filename: unknown) => {
      stream.on("error", (error) => refuse(messageOf(error))); // it ended too early
      if (name !== "file" || typeof filename !== "string" || filename === "") {
        stream.resume();
        refuse("Expected one file, called `file`, with a name of its own");
        return;
      }
      const written = writeAll(stream, store);
      written.catch(reject);
      file = { stream, filename: filename.slice(0, MAX_NAME), written };
    });
    parser.on("error", (error: unknown) => refuse(messageOf(error)));
    parser.on("finish", resolve);
  });
  request.pipe(parser);
  try {
    await untilAborted(parsed, signal);
    if (file === undefined) throw malformed("The form has no `file`");
    return { fields, filename: file.filename, draft: await file.written };
  } catch (error) {
    request.unpipe(parser);
    parser.destroy();
    file?.stream.destroy(); // its writer would wait for the rest
    await file?.written.then((draft) => draft.discard()).catch(() => {});
    throw error;
  }
}

function openParser({ request }: Exchange): InstanceType<typeof Busboy> {
  const type = request.headers["content-type"] ?? "";
  if (!/^multipart\/form-data *;/i.test(type)) {
    throw new HttpError(415, "unsupported_media_type", "Send the file as multipart/form-data");
  }
  try {
    return new Busboy({ headers: { ...request.headers, "content-type": type }, limits: LIMITS });
  } catch (error) {
    throw malformed(messageOf(error));
  }
}

/** What was begun is discarded if it fails. */
async function writeAll(stream: Readable, store: FileStore): Promise<FileDraft> {
  const draft = await store.begin();
  try {
    // Destroyed by the loop, it would have an error of its own, before this one is told.
    for await (const piece of stream.iterator({ destroyOnReturn: false })) {
      await draft.append(piece as Uint8Array);
    }
    return draft;
  } catch (error) {
    await draft.discard();
    throw error;
  }
}

function malformed(message: string): HttpError {
  return new HttpError(400, "invalid_form", `The form cannot be read: ${message}`);
}
