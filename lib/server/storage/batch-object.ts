import { now } from "../answer-head.js";
import { newObjectId } from "./object-ids.js";

/** Where the lines of a batch may go. */
export const BATCH_ENDPOINTS = [
  "/v1/chat/completions",
  "/v1/completions",
  "/v1/embeddings",
  "/v1/moderations",
] as const;
export type BatchEndpoint = (typeof BATCH_ENDPOINTS)[number];

export type BatchStatus =
  | "validating"
  | "in_progress"
  | "finalizing"
  | "completed"
  | "failed"
  | "cancelling"
  | "cancelled";

/** What is wrong with the input of a batch, or why the batch failed. */
export interface BatchProblem {
  readonly code: string;
  readonly message: string;
  readonly param: string | null;
  /** From 1; null where it is no line's. */
  readonly line: number | null;
}

/** OpenAI's description of a batch. Times are seconds since 1970, or null where it has not come so far. */
export interface BatchObject {
  readonly id: string;
  readonly object: "batch";
  readonly endpoint: BatchEndpoint;
  /** The server's name for the model, once the lines were read. */
  readonly model: string | null;
  readonly errors: { readonly object: "list"; readonly data: readonly BatchProblem[] } | null;
  readonly input_file_id: string;
  readonly completion_window: "24h";
  readonly status: BatchStatus;
  readonly output_file_id: string | null;
  readonly error_file_id: string | null;
  readonly created_at: number;
  readonly in_progress_at: number | null;
  /** It never expires. */
  readonly expires_at: null;
  readonly finalizing_at: number | null;
  readonly completed_at: number | null;
  readonly failed_at: number | null;
  readonly expired_at: null;
  readonly cancelling_at: number | null;
  readonly cancelled_at: number | null;
  readonly request_counts: {
    readonly total: number;
    readonly completed: number;
    readonly failed: number;
  };
  readonly metadata: Readonly<Record<string, string>> | null;
}

export function newBatch(
  asked: Pick<BatchObject, "endpoint" | "input_file_id" | "metadata">,
): BatchObject {
  return {
    id: newObjectId("batch"),
    object: "batch",
    endpoint: asked.endpoint,
    model: null,
    errors: null,
    input_file_id: asked.input_file_id,
    completion_window: "24h",
    status: "validating",
    output_file_id: null,
    error_file_id: null,
    created_at: now(),
    in_progress_at: null,
    expires_at: null,
    finalizing_at: null,
    completed_at: null,
    failed_at: null,
    expired_at: null,
    cancelling_at: null,
    cancelled_at: null,
    request_counts: { total: 0, completed: 0, failed: 0 },
    metadata: asked.metadata,
  };
}

/** Whether it will not change any more. */
export function isOver({ status }: BatchObject): boolean {
  return status === "completed" || status === "failed" || status === "cancelled";
}
