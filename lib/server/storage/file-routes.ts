import { createReadStream } from "node:fs";
import type { Exchange } from "../exchange.js";
import { HttpError } from "../http-errors.js";
import type { ServedHost } from "../served-host.js";
import { oneOfQuery, pageOf } from "./list-page.js";
import { readUpload } from "./multipart-upload.js";

const PATH = "/v1/files/";
const PAGE = { limit: 10_000, most: 10_000, more: ["order", "purpose"] };

/** POST /v1/files: a form with `file` and `purpose`. */
export async function answerUpload(exchange: Exchange, host: ServedHost): Promise<void> {
  const { files } = await host.storage.open();
  const { fields, filename, draft } = await readUpload(exchange, files);
  try {
    for (const [name, value] of fields) checkField(name, value);
    if (!fields.has("purpose")) throw refused("The form has no `purpose`", "purpose");
    exchange.sendJson(await draft.keep(filename, "batch"));
  } catch (error) {
    await draft.discard();
    throw error;
  }
}

function checkField(name: string, value: string): void {
  if (name === "purpose" && value === "batch") return;
  if (name === "purpose") {
    throw refused('`purpose` can only be "batch": this server has no other use for files', name);
  }
  if (name.startsWith("expires_after")) {
    throw refused("`expires_after` cannot be honoured: files stay until they are deleted", name);
  }
  throw refused(`Unknown field ${name.slice(0, 100)}`, name.slice(0, 100));
}

function refused(message: string, param: string): HttpError {
  return new HttpError(400, "ERR_INVALID_ARGUMENT", message, { param });
}

/** GET /v1/files */
export async function answerFiles(exchange: Exchange, host: ServedHost): Promise<void> {
  const { files } = await host.storage.open();
  const { query } = exchange;
  const purpose = query.get("purpose");
  const all = files.list().filter((file) => purpose === null || file.purpose === purpose);
  if (oneOfQuery(query, "order", ["asc", "desc"]) === "asc") all.reverse();
  exchange.sendJson(pageOf(all, query, PAGE));
}

/** GET /v1/files/ID and /v1/files/ID/content */
export async function answerFile(exchange: Exchange, host: ServedHost): Promise<void> {
  const { files } = await host.storage.open();
  const [, id = "", content] = /^([^/]*)(\/content)?$/.exec(nameIn(exchange)) ?? [];
  const file = files.find(id);
  if (content === undefined) {
    exchange.sendJson(file);
    return;
  }
  await exchange.sendStream(createReadStream(files.pathOf(file)), {
    "content-type": "application/octet-stream",
    "content-length": file.bytes,
    // A browser neither shows it as a page of this server's nor guesses what it is.
    "content-disposition": "attachment",
    "x-content-type-options": "nosniff",
  });
}

/** DELETE /v1/files/ID */
export async function answerFileDeletion(exchange: Exchange, host: ServedHost): Promise<void> {
  const { files, batches } = await host.storage.open();
  const file = files.find(nameIn(exchange));
  if (batches.reads(file.id)) {
    throw new HttpError(400, "file_in_use", "A batch reads this file: cancel it first");
  }
  await files.remove(file);
  exchange.sendJson({ id: file.id, object: "file", deleted: true });
}

function nameIn({ path }: Exchange): string {
  return path.slice(PATH.length);
}
