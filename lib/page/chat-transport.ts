/** A message as OpenAI's API has it. */
export interface PageMessage {
  readonly role: "system" | "user" | "assistant" | "tool";
  readonly content: string | readonly ContentPart[];
  readonly tool_calls?: readonly PageCall[];
  readonly tool_call_id?: string;
}

export type ContentPart =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "image_url"; readonly image_url: { readonly url: string } };

export interface PageCall {
  readonly id: string;
  readonly type: "function";
  readonly function: { readonly name: string; readonly arguments: string };
}

/** How the user wants answers. What is undefined is as the model has it. */
export interface AnswerSettings {
  readonly system?: string;
  readonly temperature?: number;
  readonly topP?: number;
  readonly topK?: number;
  readonly minP?: number;
  readonly maxTokens?: number;
  readonly seed?: number;
  readonly effort?: string;
  /** In OpenAI's form. The page shows their calls, and the user answers them. */
  readonly tools?: readonly object[];
}

export interface AnswerRequest {
  readonly model: string;
  /** The system message is among the settings. */
  readonly messages: readonly PageMessage[];
  readonly settings: AnswerSettings;
  /** What was picked of the transport's own choices, by their ids. */
  readonly choices: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

/** A guard's word about a message. */
export interface Verdict {
  readonly safe: boolean;
  readonly label: string;
  readonly detail: string;
}

/** What happens in an answer, in order. The last one is the end. */
export type AnswerEvent =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "reasoning"; readonly text: string }
  /** A call begins, or goes on: its arguments are appended to those that came before. */
  | {
      readonly type: "call";
      readonly id: string;
      readonly name: string;
      readonly arguments: string;
    }
  /** Somebody else than the user has carried a call out. */
  | {
      readonly type: "result";
      readonly id: string;
      readonly text: string;
      readonly failed: boolean;
    }
  | { readonly type: "verdict"; readonly of: "question" | "answer"; readonly verdict: Verdict }
  | {
      readonly type: "end";
      /** In words of the page's, such as "stopped"; undefined where the answer is simply complete. */
      readonly reason: string | undefined;
      readonly tokens: number | undefined;
      readonly promptTokens: number | undefined;
      readonly cachedTokens: number | undefined;
    };

/** A select of a transport's own, beside that of models. */
export interface TransportChoice {
  readonly id: string;
  readonly label: string;
  readonly options: readonly (readonly [value: string, label: string])[];
  readonly initial: string;
}

/** The way to the models. The page is the same whatever is at its other end. */
export interface ChatTransport {
  /** Where the model runs, and what of the conversation goes there: a sentence for the user. */
  readonly place: string;
  readonly takesImages: boolean;
  /** Whether tools that the user describes are sent along. */
  readonly takesTools: boolean;
  readonly choices: readonly TransportChoice[];
  readonly suggestions: readonly (readonly [text: string, about: string])[];
  /** Names of the models, the preferred one first. Connects, where there is a connection. */
  models(): Promise<readonly string[]>;
  /** Makes a model ready, and resolves with a sentence about it, or with "" where nothing is known yet. */
  use(model: string, onProgress: (share: number) => void): Promise<string>;
  /** @throws {TransportError}, or what the signal was aborted with */
  answer(request: AnswerRequest): AsyncIterable<AnswerEvent>;
  /** Of the connection that `models` made: resolves when it is lost. */
  readonly lost?: Promise<void>;
  /** Lets the user choose another model, and resolves with its name. */
  addModel?(): Promise<string | undefined>;
  /** Takes an API key, or forgets it. `keep` is for longer than this tab. */
  setKey?(key: string | undefined, keep: boolean): void;
}

/** Why there is no answer. */
export class TransportError extends Error {
  readonly code: string | undefined;
  /** Of HTTP, where it came so far. */
  readonly status: number | undefined;

  constructor(message: string, more: { readonly code?: string; readonly status?: number } = {}) {
    super(message);
    this.code = more.code;
    this.status = more.status;
  }
}
