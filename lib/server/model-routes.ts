import { RequestFields } from "../batch/input/request-fields.js";
import { boolean, list, string } from "../internal/checks.js";
import { expected } from "../internal/errors.js";
import { insideOf, type LoadedModel } from "../model/loaded-model.js";
import type { Exchange } from "./exchange.js";
import type { HostedModel } from "./hosted-model.js";
import { HttpError } from "./http-errors.js";
import type { ServedHost } from "./served-host.js";

/** GET /health. What only the server's owner can mend is told by it: clients hear of it with each request. */
export function answerHealth(exchange: Exchange, host: ServedHost): void {
  const broken = [...host.models.values()].find((model) => model.broken);
  if (broken !== undefined) {
    throw new HttpError(
      503,
      "context_broken",
      `The model ${broken.name} answers no more: the context that the server was given has ended`,
    );
  }
  exchange.sendJson({ status: "ok" });
}

/** GET /metrics, in Prometheus's text format. */
export function answerMetrics(exchange: Exchange, host: ServedHost): void {
  const type = "text/plain; version=0.0.4; charset=utf-8";
  exchange.sendText(host.metrics.text([...host.models.values()]), type);
}

/** GET /v1/models */
export function answerModels(exchange: Exchange, host: ServedHost): void {
  const data = [...host.models.values()].map((model) => modelObject(model, host));
  exchange.sendJson({ object: "list", data });
}

/** GET /v1/models/NAME */
export function answerModel(exchange: Exchange, host: ServedHost): void {
  const name = exchange.path.slice("/v1/models/".length);
  exchange.sendJson(modelObject(host.find(decoded(name)), host));
}

function decoded(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    throw new HttpError(404, "model_not_found", "The URL names no model: its escapes are wrong");
  }
}

/** What only a loaded model tells is there once it is loaded. */
function modelObject({ name, loaded }: HostedModel, { created }: ServedHost) {
  const model = loaded?.model;
  return {
    ...{ id: name, object: "model", created, owned_by: "cria" },
    meta: model && {
      description: model.description,
      n_ctx_train: model.contextLength,
      n_embd: model.embeddingLength,
      n_params: model.parameterCount,
      n_vocab: model.vocabularySize,
      size: model.sizeInBytes,
    },
  };
}

const TOKENIZE = {
  read: ["model", "content", "add_special", "parse_special", "with_pieces"],
  ignored: [],
  refused: {},
};

/** POST /tokenize, as llama-server has it. */
export async function answerTokenize(exchange: Exchange, host: ServedHost): Promise<void> {
  const fields = new RequestFields(await exchange.json(), "body", TOKENIZE);
  const content = fields.needed("content", "a string", string);
  const options = {
    addBos: fields.get("add_special", boolean) ?? false,
    special: fields.get("parse_special", boolean) ?? true,
  };
  const pieces = fields.get("with_pieces", boolean) ?? false;
  const hosted = host.named(fields.get("model", string));
  exchange.model = hosted.name;
  const { signal } = exchange;
  await hosted.use(1, signal, async ({ model }) => {
    const ids = await model.tokenizeAsync(content, { ...options, signal });
    exchange.sendJson({ tokens: pieces ? piecesOf(ids, model) : Array.from(ids) });
  });
}

/** Each token is spelt once for all requests: a text of megabytes has millions of them, of some thousand kinds. */
function piecesOf(ids: Int32Array, model: LoadedModel) {
  checkCount(ids.length, "The text has");
  const { texts } = insideOf(model);
  texts.learn(ids);
  return Array.from(ids, (id) => ({ id, piece: texts.of(id) }));
}

/** What is done for each token at once, in one turn of the event loop, holds up all others. */
const TOKENS_MAX = 2 ** 20;

function checkCount(count: number, who: string): void {
  if (count <= TOKENS_MAX) return;
  throw new HttpError(
    400,
    "too_many_tokens",
    `${who} ${count} tokens, and this route takes at most ${TOKENS_MAX} at a time: send it in pieces`,
  );
}

const DETOKENIZE = { read: ["model", "tokens"], ignored: [], refused: {} };

/** POST /detokenize, as llama-server has it. */
export async function answerDetokenize(exchange: Exchange, host: ServedHost): Promise<void> {
  const fields = new RequestFields(await exchange.json(), "body", DETOKENIZE);
  const tokens = fields.needed("tokens", "an array of token ids", (value, name) => {
    if (Array.isArray(value)) checkCount(value.length, "The body has");
    return list(value, name, "an array of token ids", tokenId);
  });
  const hosted = host.named(fields.get("model", string));
  exchange.model = hosted.name;
  await hosted.use(1, exchange.signal, async ({ model }) => {
    exchange.sendJson({ content: model.detokenize(tokens, { special: true }) });
  });
}

/** The model says how many there are. */
function tokenId(value: unknown, name: string): number {
  if (typeof value === "number") return value;
  throw expected("a token id", name, value);
}
