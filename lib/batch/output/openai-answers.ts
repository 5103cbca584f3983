/**
 * Bodies of the answers, as in OpenAI's API: its own client's types accept them. They leave out what
 * differs from run to run (the time, what was cached), so that the same request has the same bytes as its
 * answer.
 */

interface Usage {
  prompt_tokens: number;
  completion_tokens: number;
  total_tokens: number;
  /** Only where there are thoughts. */
  completion_tokens_details?: { reasoning_tokens: number };
}

export interface ChatTokenLogprob {
  token: string;
  logprob: number;
  /** Null if the token is only part of a character. */
  bytes: number[] | null;
}

/** OpenAI's answer to `/v1/chat/completions`, in its fields. */
export interface BatchChatCompletion {
  id: string;
  object: "chat.completion";
  /** Always 0: with a time no two runs would be the same. */
  created: number;
  model: string;
  choices: {
    index: number;
    message: {
      role: "assistant";
      content: string | null;
      /** What the model thought before; only where it did. */
      reasoning_content?: string;
      refusal: null;
      tool_calls?: {
        id: string;
        type: "function";
        function: { name: string; arguments: string };
      }[];
    };
    logprobs: {
      content: (ChatTokenLogprob & { top_logprobs: ChatTokenLogprob[] })[];
      refusal: null;
    } | null;
    finish_reason: "stop" | "length" | "tool_calls";
  }[];
  usage: Usage;
}

/** OpenAI's answer to `/v1/completions`, in its fields. */
export interface BatchCompletion {
  id: string;
  object: "text_completion";
  created: number;
  model: string;
  choices: {
    index: number;
    text: string;
    logprobs: {
      tokens: string[];
      token_logprobs: number[];
      top_logprobs: Record<string, number>[];
      text_offset: number[];
    } | null;
    finish_reason: "stop" | "length";
  }[];
  usage: Usage;
}

/**
 * OpenAI's answer to `/v1/embeddings`, in its fields, with `encoding_format` "float". With "base64" an
 * embedding is a string.
 */
export interface BatchEmbeddings {
  object: "list";
  data: { object: "embedding"; index: number; embedding: number[] }[];
  model: string;
  usage: { prompt_tokens: number; total_tokens: number };
}

type Category =
  | "harassment"
  | "harassment/threatening"
  | "hate"
  | "hate/threatening"
  | "illicit"
  | "illicit/violent"
  | "self-harm"
  | "self-harm/instructions"
  | "self-harm/intent"
  | "sexual"
  | "sexual/minors"
  | "violence"
  | "violence/graphic";

/**
 * OpenAI's answer to `/v1/moderations`, in its fields. Llama Guard's codes stand beside OpenAI's
 * categories.
 */
export interface BatchModeration {
  id: string;
  model: string;
  results: {
    flagged: boolean;
    categories: Record<Category, boolean>;
    category_scores: Record<Category, number>;
    category_applied_input_types: Record<Category, "text"[]>;
  }[];
}
