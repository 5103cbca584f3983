import { guarded, isPlainObject, isWellFormed, list } from "../../internal/checks.js";
import { CriaError, expected, invalid, show } from "../../internal/errors.js";
import { MOST_LEVELS, MOST_MEMBERS } from "../../internal/json-text.js";
import type {
  NativeFlatPrompt,
  NativeTemplateFormat,
  NativeTemplateRequest,
} from "../../internal/native.js";
import { nativeCall, nativeWork } from "../../internal/native-work.js";
import { ownInts } from "../../internal/realm.js";
import { atOnce, inTurns, type Steps } from "../../internal/steps.js";
import type { RenderableMessage } from "../../messages/pairing.js";
import type { ToolChoice, ToolDefinition } from "../../messages/tool-types.js";
import type { LoadedModel } from "../../model/loaded-model.js";
import { insideOf } from "../../model/loaded-model.js";
import type { Prompt, PromptSegment } from "../../model/prompt.js";

/** What becomes of tools that a model's template has no place for. */
export type ToolFallback =
  /** They are described in the system message, and the model is told how to call them. */
  | "describe"
  /** ERR_UNSUPPORTED. */
  | "error";

/** Options for a model's own template, checked. */
export interface TemplateOptions {
  /** In place of the model's own, also of the one that it has for conversations with tools. */
  readonly chatTemplate?: string | undefined;
  readonly tools: readonly ToolDefinition[];
  /** Whether the prompt ends where the assistant's answer begins. */
  readonly addGenerationPrompt: boolean;
  /** What becomes of tools that the template has no place for; default "describe". */
  readonly toolFallback?: ToolFallback | undefined;
  /** The date that the template sees; a text is shown in place of any date; undefined is today. */
  readonly date: Date | string | undefined;
  /** Other variables that the template sees, such as `enable_thinking`. */
  readonly templateVariables: Readonly<Record<string, unknown>>;
}

export interface TemplateFormatOptions extends TemplateOptions {
  readonly toolChoice?: ToolChoice;
  /** Whether one answer may have several calls; default true. */
  readonly parallelToolCalls?: boolean;
  /** Whether the answer follows a schema; default false. */
  readonly schema?: boolean;
}

/** How a model answers, as `templateFormat` finds out from its template. */
export type TemplateFormat = Readonly<NativeTemplateFormat>;

/** Variables that cria sets itself. */
const RESERVED = ["messages", "tools", "add_generation_prompt", "bos_token", "eos_token"];

/**
 * A conversation as the model's own Jinja template has it. What the template writes may be control
 * tokens; nothing that comes with the messages, the tools or the variables can become one. On a thread
 * of the model's, for at most two seconds.
 *
 * @throws {CriaError} ERR_TEMPLATE with the template's own message, ERR_INVALID_ARGUMENT,
 * ERR_DISPOSED; the signal's reason
 */
export async function renderTemplate(
  messages: readonly RenderableMessage[],
  options: TemplateOptions,
  model: LoadedModel,
  signal?: AbortSignal,
): Promise<Prompt> {
  const native = insideOf(model).native;
  const request = templateRequest(templateOf(model, options), [], options);
  const bytes = await inTurns(messagePieces(messages), signal);
  const work = (id: number) => native.startRender(id, { ...request, messages: bytes });
  return inTurns(segmentsOf(await nativeWork(native, work, signal)), signal);
}

/** The same at once: the event loop is blocked for as long. */
export function renderTemplateSync(
  messages: readonly RenderableMessage[],
  options: TemplateOptions,
  model: LoadedModel,
): Prompt {
  const native = insideOf(model).native;
  const request = templateRequest(templateOf(model, options), messages, options);
  return atOnce(segmentsOf(nativeCall(() => native.renderTemplate(request))));
}

/**
 * The grammar, the triggers and the parser of the answers to such a prompt.
 *
 * @throws {CriaError} ERR_TEMPLATE, ERR_INVALID_ARGUMENT, ERR_DISPOSED; the signal's reason
 */
export async function templateFormat(
  messages: readonly RenderableMessage[],
  options: TemplateFormatOptions,
  model: LoadedModel,
  signal?: AbortSignal,
): Promise<TemplateFormat> {
  const native = insideOf(model).native;
  const { toolChoice = "auto", parallelToolCalls = true, schema = false } = options;
  const tools = chosenTools(options.tools, toolChoice);
  const request = {
    ...templateRequest(templateOf(model, options), [], { ...options, tools }),
    messages: await inTurns(messagePieces(messages), signal),
    toolChoice: typeof toolChoice === "string" ? toolChoice : ("required" as const),
    parallelToolCalls,
    schema,
  };
  return nativeWork(native, (id) => native.startFormat(id, request), signal);
}

/** Roughly how many characters of JSON a piece has. A message is never split. */
const PIECE = 1 << 16;

function* messagePieces(messages: readonly RenderableMessage[]): Steps<Uint8Array[]> {
  const pieces: Uint8Array[] = [];
  let texts: string[] = [];
  let length = 0;
  for (const [index, message] of messages.entries()) {
    const text = json(asTold(message), `messages[${index}]`);
    texts.push(text);
    length += text.length;
    if (length >= PIECE || index === messages.length - 1) {
      pieces.push(Buffer.from(texts.join(",")));
      texts = [];
      length = 0;
    }
    yield;
  }
  return pieces;
}

/** The segments of a prompt that the engine made. */
export function* segmentsOf({
  text,
  kinds,
  ends,
  tokens,
}: NativeFlatPrompt): Steps<PromptSegment[]> {
  const prompt: PromptSegment[] = [];
  const from = { text: 0, tokens: 0 };
  for (const [index, kind] of kinds.entries()) {
    const end = ends[index] as number;
    if (kind === 2) {
      prompt.push({ tokens: ownInts(tokens.slice(from.tokens, end)) });
      from.tokens = end;
    } else {
      const piece = text.slice(from.text, end);
      prompt.push(kind === 1 ? { control: piece } : { text: piece });
      from.text = end;
    }
    yield;
  }
  return prompt;
}

/** The engine's request for any template, also for one that is not the model's own. */
export function templateRequest(
  template: string,
  messages: readonly RenderableMessage[],
  { tools, addGenerationPrompt, toolFallback, date, templateVariables }: TemplateOptions,
): NativeTemplateRequest {
  for (const name of RESERVED) {
    if (!Object.hasOwn(templateVariables, name)) continue;
    throw invalid(`The template variable ${show(name)} is set by cria`, {
      name: "options.templateVariables",
      variable: name,
    });
  }
  const now = typeof date === "object" ? date.getTime() : Date.now();
  return {
    template,
    messages: json(messages.map(asTold), "messages"),
    tools: json(tools, "tools"),
    variables: json(templateVariables, "templateVariables"),
    addGenerationPrompt,
    describeTools: toolFallback !== "error",
    now: Math.floor(now / 1000),
    date: typeof date === "string" ? date : null,
  };
}

/** The model's template. Some have another one for conversations with tools. */
function templateOf(model: LoadedModel, { tools, chatTemplate }: TemplateOptions): string {
  if (chatTemplate !== undefined) return chatTemplate;
  const forTools = model.metadata.get("tokenizer.chat_template.tool_use");
  if (tools.length > 0 && forTools !== undefined) return forTools;
  if (model.chatTemplate !== null) return model.chatTemplate;
  throw new CriaError(
    "ERR_TEMPLATE",
    "The model has no chat template: give it one as `chatTemplate`, or name a `format`",
  );
}

function chosenTools(
  tools: readonly ToolDefinition[],
  choice: ToolChoice,
): readonly ToolDefinition[] {
  if (typeof choice === "string") return tools;
  const { name } = choice.function;
  const chosen = tools.filter((tool) => tool.function.name === name);
  if (chosen.length > 0) return chosen;
  throw invalid(`The tool ${show(name)} of \`toolChoice\` is not among the tools`, {
    name: "toolChoice",
    tool: name,
  });
}

/** A message that only calls has no content. Some templates look for that. */
function asTold(message: RenderableMessage): object {
  if (message.role === "user") return { role: message.role, content: message.content };
  if (message.role !== "assistant") return message;
  const { reply: _, ...told } = message;
  const silent = told.content === "" && told.tool_calls.length > 0;
  return silent ? { ...told, content: null } : told;
}

function json(value: unknown, name: string): string {
  return guarded(value, name, () => JSON.stringify(plain(value, name, 0)));
}

/** A copy as JSON. Lone surrogates, which JSON parsers refuse, become U+FFFD. */
function plain(value: unknown, name: string, depth: number): unknown {
  if (depth > MOST_LEVELS) throw expected(`at most ${MOST_LEVELS} levels`, name, value);
  if (typeof value === "string") return wellFormed(value);
  if (typeof value === "number" && Number.isFinite(value)) return value;
  if (value === null || typeof value === "boolean") return value;
  if (Array.isArray(value)) {
    return list(value, name, "an array", (element, at) => plain(element, at, depth + 1));
  }
  if (isPlainObject(value)) {
    const entries = Object.entries(value).filter(([, element]) => element !== undefined);
    if (entries.length > MOST_MEMBERS) {
      throw expected(`an object of at most ${MOST_MEMBERS} properties`, name, value);
    }
    return Object.fromEntries(
      entries.map(([key, element]) => [
        wellFormed(key),
        plain(element, `${name}.${key}`, depth + 1),
      ]),
    );
  }
  throw expected("what JSON can say", name, value);
}

function wellFormed(text: string): string {
  return isWellFormed(text) ? text : text.replace(/\p{Surrogate}/gu, "\ufffd");
}
