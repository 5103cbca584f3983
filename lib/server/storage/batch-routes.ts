import { object, RequestFields } from "../../batch/input/request-fields.js";
import { oneOf, string } from "../../internal/checks.js";
import { expected } from "../../internal/errors.js";
import type { Exchange } from "../exchange.js";
import { HttpError } from "../http-errors.js";
import type { ServedHost } from "../served-host.js";
import { BATCH_ENDPOINTS } from "./batch-object.js";
import { pageOf } from "./list-page.js";

const PATH = "/v1/batches/";
const PAGE = { limit: 20, most: 100, more: [] };
const CREATE = {
  read: ["input_file_id", "endpoint", "completion_window", "metadata"],
  ignored: [],
  refused: {
    output_expires_after: {
      unless: [],
      why: "cannot be honoured: files stay until they are deleted",
    },
  },
};
/** OpenAI's limits of metadata. */
const METADATA = { pairs: 16, key: 64, value: 512 };

/** POST /v1/batches */
export async function answerBatchCreation(exchange: Exchange, host: ServedHost): Promise<void> {
  const fields = new RequestFields(await exchange.json(), "body", CREATE);
  const asked = {
    input_file_id: fields.needed("input_file_id", "the id of a file", string),
    endpoint: fields.needed("endpoint", "a route", (value, name) =>
      oneOf(value, name, BATCH_ENDPOINTS),
    ),
    metadata: fields.get("metadata", metadataOf) ?? null,
  };
  fields.needed("completion_window", '"24h"', (value, name) => oneOf(value, name, ["24h"]));
  const { files, runner } = await host.storage.open();
  const { purpose } = files.find(asked.input_file_id);
  if (purpose !== "batch") {
    const message = 'The file\'s purpose is not "batch": its lines are results';
    throw new HttpError(400, "invalid_file_purpose", message, { param: "input_file_id" });
  }
  exchange.sendJson(await runner.create(asked));
}

function metadataOf(value: unknown, name: string): Record<string, string> {
  const pairs = Object.entries(object(value, name));
  if (pairs.length > METADATA.pairs) throw expected(`at most ${METADATA.pairs} pairs`, name, value);
  for (const [key, text] of pairs) {
    if (key.length > METADATA.key) {
      throw expected(`keys of at most ${METADATA.key} characters`, name, key);
    }
    if (typeof text !== "string" || text.length > METADATA.value) {
      throw expected(`texts of at most ${METADATA.value} characters`, name, text);
    }
  }
  return value as Record<string, string>;
}

/** GET /v1/batches */
export async function answerBatches(exchange: Exchange, host: ServedHost): Promise<void> {
  const { batches } = await host.storage.open();
  exchange.sendJson(pageOf(batches.list(), exchange.query, PAGE));
}

/** GET /v1/batches/ID */
export async function answerBatch(exchange: Exchange, host: ServedHost): Promise<void> {
  const { batches } = await host.storage.open();
  exchange.sendJson(batches.find(exchange.path.slice(PATH.length)));
}

/** POST /v1/batches/ID/cancel */
export async function answerBatchCancellation(exchange: Exchange, host: ServedHost): Promise<void> {
  const [, id] = /^([^/]*)\/cancel$/.exec(exchange.path.slice(PATH.length)) ?? [];
  if (id === undefined) throw new HttpError(404, "unknown_url", "Unknown request URL");
  const { runner } = await host.storage.open();
  exchange.sendJson(await runner.cancel(id));
}
