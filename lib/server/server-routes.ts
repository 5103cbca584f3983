import { answerChat } from "./chat-route.js";
import { answerCompletion } from "./completion-route.js";
import type { Exchange } from "./exchange.js";
import { HttpError } from "./http-errors.js";
import { answerInfill, answerLocalCompletion } from "./local-completion.js";
import { answerMessage, answerMessageCount } from "./messages/message-route.js";
import {
  answerDetokenize,
  answerHealth,
  answerMetrics,
  answerModel,
  answerModels,
  answerTokenize,
} from "./model-routes.js";
import { answerProps, answerSlots, answerTemplate } from "./props-routes.js";
import { answerResponse } from "./responses/response-route.js";
import type { ServedHost } from "./served-host.js";
import {
  answerBatch,
  answerBatchCancellation,
  answerBatchCreation,
  answerBatches,
} from "./storage/batch-routes.js";
import {
  answerFile,
  answerFileDeletion,
  answerFiles,
  answerUpload,
} from "./storage/file-routes.js";
import { answerChatCount, answerResponseCount } from "./token-count-routes.js";
import {
  answerEmbedding,
  answerLocalEmbedding,
  answerModeration,
  answerRerank,
} from "./vector-routes.js";

/** Answers a request. What it throws becomes an error of OpenAI's shape. */
export type Route = (exchange: Exchange, host: ServedHost) => Promise<void> | void;

type Methods = Readonly<Record<string, Route>>;

/** By path. A path that ends in a slash has names behind it. */
export const ROUTES: Readonly<Record<string, Methods>> = {
  "/v1/chat/completions": { POST: answerChat },
  "/chat/completions": { POST: answerChat },
  "/v1/chat/completions/input_tokens": { POST: answerChatCount },
  "/chat/completions/input_tokens": { POST: answerChatCount },
  "/v1/completions": { POST: answerCompletion },
  "/v1/responses": { POST: answerResponse },
  "/responses": { POST: answerResponse },
  "/v1/responses/input_tokens": { POST: answerResponseCount },
  "/responses/input_tokens": { POST: answerResponseCount },
  "/v1/messages": { POST: answerMessage },
  "/v1/messages/count_tokens": { POST: answerMessageCount },
  "/v1/embeddings": { POST: answerEmbedding },
  "/embedding": { POST: answerLocalEmbedding },
  "/embeddings": { POST: answerLocalEmbedding },
  "/v1/moderations": { POST: answerModeration },
  "/v1/files": { GET: answerFiles, POST: answerUpload },
  "/v1/files/": { GET: answerFile, DELETE: answerFileDeletion },
  "/v1/batches": { GET: answerBatches, POST: answerBatchCreation },
  "/v1/batches/": { GET: answerBatch, POST: answerBatchCancellation },
  "/v1/models": { GET: answerModels },
  "/models": { GET: answerModels },
  "/v1/models/": { GET: answerModel },
  "/v1/rerank": { POST: answerRerank },
  "/v1/reranking": { POST: answerRerank },
  "/rerank": { POST: answerRerank },
  "/reranking": { POST: answerRerank },
  "/completion": { POST: answerLocalCompletion },
  "/completions": { POST: answerLocalCompletion },
  "/infill": { POST: answerInfill },
  "/apply-template": { POST: answerTemplate },
  "/props": { GET: answerProps },
  "/slots": { GET: answerSlots },
  "/tokenize": { POST: answerTokenize },
  "/detokenize": { POST: answerDetokenize },
  "/health": { GET: answerHealth },
  "/v1/health": { GET: answerHealth },
  "/metrics": { GET: answerMetrics },
};

export interface FoundRoute {
  readonly route: Route;
  /** The path in the table, for counting: names behind it would have no end. */
  readonly name: string;
}

/** @throws {HttpError} 404, 405 */
export function findRoute(method: string, path: string): FoundRoute {
  const name = Object.hasOwn(ROUTES, path) ? path : parentOf(path);
  const methods = name === undefined ? undefined : ROUTES[name];
  if (methods === undefined || name === undefined) {
    throw new HttpError(404, "unknown_url", `Unknown request URL: ${method} ${shown(path)}`);
  }
  const asked = method === "HEAD" ? "GET" : method;
  const route = Object.hasOwn(methods, asked) ? methods[asked] : undefined;
  if (route !== undefined) return { route, name };
  const allow = Object.keys(methods).join(", ");
  throw new HttpError(405, "method_not_allowed", `${name} takes ${allow}, not ${method}`, {
    headers: { allow },
  });
}

function parentOf(path: string): string | undefined {
  return Object.keys(ROUTES).find(
    (one) => one.endsWith("/") && path.startsWith(one) && path.length > one.length,
  );
}

function shown(path: string): string {
  return path.length > 200 ? `${path.slice(0, 200)}…` : path;
}
