import { createParser } from "eventsource-parser";
import {
  type AnswerEvent,
  type AnswerRequest,
  type ChatTransport,
  TransportError,
} from "./chat-transport.js";
import { KeptValue } from "./kept-values.js";

/** A chunk of a streamed chat completion, as far as it is read. */
interface Chunk {
  readonly choices?: readonly {
    readonly delta?: {
      readonly content?: string | null;
      readonly reasoning_content?: string | null;
      readonly tool_calls?: readonly {
        readonly index: number;
        readonly id?: string;
        readonly function?: { readonly name?: string; readonly arguments?: string };
      }[];
    };
    readonly finish_reason?: string | null;
  }[];
  readonly usage?: {
    readonly completion_tokens?: number;
    readonly prompt_tokens?: number;
    readonly prompt_tokens_details?: { readonly cached_tokens?: number };
  } | null;
  readonly error?: { readonly message?: string; readonly code?: string | null };
}

interface ModelMeta {
  readonly n_params?: number;
  readonly n_ctx_train?: number;
}

const ENDS: Readonly<Record<string, string>> = {
  length: "cut off",
  tool_calls: "waits for its tools",
};

/** To the server that has sent the page, by OpenAI's API. */
export class HttpTransport implements ChatTransport {
  readonly place =
    "The model runs on the server that this page came from. What you write goes there, and nowhere else.";
  readonly takesImages = true;
  readonly takesTools = true;
  readonly choices = [];
  readonly suggestions = [
    ["What is a baby llama called?", "a plain question"],
    ["Write a table of three animals and what they eat.", "tables, lists and code are shown"],
    ["Explain recursion in two sentences.", "for larger models"],
    ["Write a haiku about mountains.", "there is no wrong answer"],
  ] as const;
  readonly #base: string;
  readonly #ofTab = new KeptValue("cria-api-key", "sessionStorage");
  readonly #ofBrowser = new KeptValue("cria-api-key");
  #key = this.#ofTab.value ?? this.#ofBrowser.value;

  /** @param base where the server's `v1/` is; the page's own address by default */
  constructor(base = document.baseURI) {
    this.#base = base;
  }

  setKey(key: string | undefined, keep: boolean): void {
    this.#key = key ?? null;
    this.#ofTab.value = keep ? null : this.#key;
    this.#ofBrowser.value = keep ? this.#key : null;
  }

  async models(): Promise<readonly string[]> {
    const answer = await this.#fetch("v1/models");
    const { data } = (await answer.json()) as { data: { id: string }[] };
    return data.map(({ id }) => id);
  }

  async use(model: string): Promise<string> {
    const answer = await this.#fetch(`v1/models/${encodeURIComponent(model)}`);
    const { meta } = (await answer.json()) as { meta?: ModelMeta };
    return meta === undefined ? "" : factsOf(model, meta);
  }

  async *answer(request: AnswerRequest): AsyncGenerator<AnswerEvent> {
    const answer = await this.#fetch("v1/chat/completions", {
      method: "POST",
      body: JSON.stringify(bodyOf(request)),
      signal: request.signal,
    });
    const calls = new Map<number, { readonly id: string; readonly name: string }>();
    let finish: string | undefined;
    let usage: Chunk["usage"];
    for await (const chunk of chunksOf(answer)) {
      if (chunk.error) throw errorOf(chunk.error, undefined);
      usage = chunk.usage ?? usage;
      const [choice] = chunk.choices ?? [];
      const { reasoning_content: reasoning, content, tool_calls = [] } = choice?.delta ?? {};
      if (reasoning) yield { type: "reasoning", text: reasoning };
      if (content) yield { type: "text", text: content };
      for (const { index, id, function: called } of tool_calls) {
        const known = calls.get(index) ?? { id: id ?? `call-${index}`, name: called?.name ?? "" };
        calls.set(index, known);
        yield { type: "call", ...known, arguments: called?.arguments ?? "" };
      }
      finish = choice?.finish_reason ?? finish;
    }
    if (finish === undefined) {
      throw new TransportError("The answer broke off: the connection to the server was lost");
    }
    yield {
      type: "end",
      reason: Object.hasOwn(ENDS, finish) ? ENDS[finish] : undefined,
      tokens: usage?.completion_tokens,
      promptTokens: usage?.prompt_tokens,
      cachedTokens: usage?.prompt_tokens_details?.cached_tokens,
    };
  }

  async #fetch(path: string, init: RequestInit = {}): Promise<Response> {
    const headers: Record<string, string> = {};
    if (init.body !== undefined) headers["content-type"] = "application/json";
    if (this.#key !== null) headers.authorization = `Bearer ${this.#key}`;
    let answer: Response;
    try {
      answer = await fetch(new URL(path, this.#base), { ...init, headers, cache: "no-store" });
    } catch (error) {
      init.signal?.throwIfAborted();
      throw new TransportError("The server cannot be reached", {
        code: (error as Error).message,
        status: 0,
      });
    }
    if (answer.ok) return answer;
    const body = (await answer.json().catch(() => ({}))) as Chunk;
    throw errorOf(body.error ?? { message: answer.statusText }, answer.status);
  }
}

function errorOf(error: NonNullable<Chunk["error"]>, status: number | undefined): TransportError {
  return new TransportError(error.message ?? "The server failed", {
    ...(typeof error.code === "string" && { code: error.code }),
    ...(status !== undefined && { status }),
  });
}

/** Only what the user has set goes along: all else is as the server has it. */
function bodyOf({ model, messages, settings }: AnswerRequest): object {
  const { system, temperature, topP, topK, minP, maxTokens, seed, effort, tools } = settings;
  const first = system === undefined ? [] : [{ role: "system", content: system }];
  return {
    model,
    messages: [...first, ...messages],
    stream: true,
    stream_options: { include_usage: true },
    temperature,
    top_p: topP,
    top_k: topK,
    min_p: minP,
    max_tokens: maxTokens,
    seed,
    reasoning_effort: effort,
    tools: tools?.length ? tools : undefined,
  };
}

async function* chunksOf({ body }: Response): AsyncGenerator<Chunk> {
  const found: string[] = [];
  const parser = createParser({ onEvent: ({ data }) => found.push(data) });
  const reader = (body as ReadableStream<Uint8Array>).getReader();
  const decoder = new TextDecoder();
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      parser.feed(decoder.decode(value, { stream: true }));
      for (const data of found.splice(0)) {
        if (data !== "[DONE]") yield JSON.parse(data) as Chunk;
      }
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

function factsOf(model: string, { n_params, n_ctx_train }: ModelMeta): string {
  const short = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 2 });
  const facts = [
    n_params && `${short.format(n_params)} parameters`,
    n_ctx_train && `up to ${n_ctx_train} tokens of context`,
  ].filter(Boolean);
  return facts.length === 0 ? "" : `${model}: ${facts.join(", ")}.`;
}
