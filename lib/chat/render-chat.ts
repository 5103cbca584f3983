import { types } from "node:util";
import { throwIfAborted } from "../internal/abort.js";
import {
  abortSignal,
  boolean,
  guarded,
  isPlainObject,
  list,
  oneOf,
  readOptions,
  string,
} from "../internal/checks.js";
import { CriaError, expected, invalid, show } from "../internal/errors.js";
import { optionNames } from "../internal/option-names.js";
import { atOnce, inTurns } from "../internal/steps.js";
import { type ReadMedia, withMedia } from "../messages/media-parts.js";
import { type ChatMessageInput, messageSteps, readMessages } from "../messages/messages.js";
import type { RenderableMessage } from "../messages/pairing.js";
import type { ToolChoice, ToolDefinition, ToolDefinitionInput } from "../messages/tool-types.js";
import type { LoadedModel } from "../model/loaded-model.js";
import type { Prompt } from "../model/prompt.js";
import {
  type BuiltinTool,
  LLAMA_3_CONTROLS,
  LLAMA_31_CONTROLS,
  llama3Steps,
} from "./formats/llama-3.js";
import { LLAMA_4_CONTROLS, llama4Steps } from "./formats/llama-4.js";
import { effortVariables, type ReasoningEffort } from "./formats/reasoning-effort.js";
import { type ChatFormatName, recogniseFormat } from "./formats/recognise-format.js";
import { TemplateAnswer } from "./formats/template-answer.js";
import {
  renderTemplate,
  renderTemplateSync,
  type TemplateFormat,
  type TemplateOptions,
  type ToolFallback,
  templateFormat,
} from "./formats/template-format.js";
import { readTools } from "./tool-definitions.js";

/** What `renderChat` takes besides the messages. */
export interface RenderChatOptions {
  /**
   * How the conversation is written. `"template"` is the model's own Jinja template, and `"auto"` the
   * renderer that says the same where there is one, else that template; both need `model`. Default
   * `"auto"`, and `"llama-3.1"` without a model.
   */
  readonly format?: ChatFormatName | "template" | "auto";
  /** The model that the prompt is for. Default: none, for the format "llama-3.1". */
  readonly model?: LoadedModel;
  /** Functions that the model may call. An empty list is no tools. Default none. */
  readonly tools?: readonly ToolDefinitionInput[];
  /** Tools that Llama 3.1 and 3.3 know without a definition. Default none. */
  readonly builtinTools?: readonly BuiltinTool[];
  /**
   * Whether the tools stand in front of the first user message, as the models' own templates have it,
   * or in the system message. Without a user message they stand there in any case. Default true.
   */
  readonly toolsInUserMessage?: boolean;
  /**
   * What becomes of `tools` that the model's own template has no place for: they are described in the
   * system message ("describe"; docs/chat.md has the words), or refused ("error", ERR_UNSUPPORTED).
   * Default "describe".
   */
  readonly toolFallback?: ToolFallback;
  /** Whether the prompt ends where the assistant's answer begins. Default true. */
  readonly addGenerationPrompt?: boolean;
  /** "Today Date": a `Date` in the form "26 Jul 2024", local time; a string as it is. Default today. */
  readonly date?: Date | string;
  /**
   * More variables for the model's own template. The other formats have none and ignore them. Default:
   * none.
   */
  readonly templateVariables?: Readonly<Record<string, unknown>>;
  /**
   * A Jinja template in place of the model's own, recognised and run as that would be. For the formats
   * "auto" and "template" alone. Default: the model's.
   */
  readonly chatTemplate?: string;
}

/** What `renderChatAsync` takes besides the messages. */
export interface RenderChatAsyncOptions extends RenderChatOptions {
  /** Aborts the call, which rejects with its reason within 100 ms. Default: none. */
  readonly signal?: AbortSignal;
}

const RENDER_OPTIONS: readonly (keyof RenderChatOptions)[] = optionNames("renderChat", [
  ...(["format", "model", "tools", "builtinTools", "toolsInUserMessage", "toolFallback"] as const),
  ...(["addGenerationPrompt", "date", "templateVariables", "chatTemplate"] as const),
]);
const FORMATS = [
  ...(["auto", "llama-3", "llama-3.1", "llama-3.2", "llama-3.3", "llama-4", "template"] as const),
];
const BUILTIN_TOOLS = ["brave_search", "wolfram_alpha", "code_interpreter"] as const;
/** Some sixty times as long as the longest of llama.cpp's collection. */
const TEMPLATE_MAX = 1 << 20;
const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

/**
 * A conversation as a prompt. Nothing in a message, a tool or a date can become a control token: those
 * are segments of their own, and all else is text. Accepts OpenAI's messages and tools.
 *
 * A model's own template runs on a thread of the model's, for at most two seconds and within 64 MB, and
 * a long history is read and written a piece at a time: the event loop never waits.
 *
 * @example
 * const prompt = await renderChatAsync([{ role: "user", content: "Hello" }], { model });
 * const { text } = await context.generateText(prompt);
 *
 * @throws {CriaError} ERR_INVALID_ARGUMENT; ERR_UNSUPPORTED for what the format or the model cannot
 * be told (files, tools in Llama 3.0), naming the field; ERR_TEMPLATE for what the model's own
 * template refuses, or takes too long for; ERR_DISPOSED; the signal's reason
 */
export async function renderChatAsync(
  messages: readonly ChatMessageInput[],
  options?: RenderChatAsyncOptions,
): Promise<Prompt> {
  const { signal, ...rest } = readOptions(options, "options", [
    ...RENDER_OPTIONS,
    "signal",
  ] as const);
  if (signal !== undefined) abortSignal(signal, "options.signal");
  throwIfAborted(signal);
  const renderer = chatRenderer(rest);
  return renderer.render(
    await inTurns(messageSteps(messages, "messages", "files"), signal),
    signal,
  );
}

/**
 * The same at once. For the typed formats of the Llama 3 family it is a matter of microseconds; with a
 * model's own template the event loop stands still until it is rendered, two seconds at most: use
 * `renderChatAsync` there.
 *
 * @example
 * const prompt = renderChat([{ role: "user", content: "Hello" }], { format: "llama-3.1" });
 *
 * @throws {CriaError} as `renderChatAsync`
 */
export function renderChat(
  messages: readonly ChatMessageInput[],
  options?: RenderChatOptions,
): Prompt {
  const read = readMessages(messages, "messages", "files");
  return chatRenderer(options).renderSync(read);
}

/** Writes conversations with one set of options. */
export interface ChatRenderer {
  readonly format: ResolvedFormat;
  readonly tools: readonly ToolDefinition[];
  readonly builtinTools: readonly BuiltinTool[];
  render(
    messages: readonly RenderableMessage[],
    signal?: AbortSignal,
    own?: { readonly addGenerationPrompt?: boolean | undefined },
  ): Promise<Prompt>;
  renderSync(messages: readonly RenderableMessage[]): Prompt;
  /** For the format "template": how the answer to these messages is constrained and read. */
  templateFormat(
    messages: readonly RenderableMessage[],
    asked: {
      readonly choice: ToolChoice;
      readonly schema?: boolean;
      readonly parallelToolCalls?: boolean;
    },
    signal?: AbortSignal,
  ): Promise<TemplateFormat>;
  /** For the format "template": a reader of one answer. */
  openAnswer(format: TemplateFormat, firstCall: number): TemplateAnswer;
}

/**
 * For those who render more than once. Throws as `renderChat` does.
 *
 * @param known definitions that were checked before, in place of the options' tools
 * @param effort how hard the model is to think, in the variables of its template
 */
export function chatRenderer(
  options: RenderChatOptions | undefined,
  known?: readonly ToolDefinition[],
  effort?: ReasoningEffort,
): ChatRenderer {
  const read = guarded(options, "options", () => readRenderOptions(options));
  const checked = { ...read, ...(known && { tools: known }), effort };
  const format = resolveFormat(checked);
  const { tools, builtinTools, toolsInUserMessage = true, addGenerationPrompt, date } = checked;
  const given = { tools, builtinTools, toolsInUserMessage, addGenerationPrompt };
  const today = typeof date === "string" ? date : shownDate(date);
  const typedSteps = (read: readonly RenderableMessage[], own: Partial<typeof given> = {}) => {
    const llama = { ...given, ...own };
    if (format === "llama-4") return llama4Steps(read, llama);
    const same = format === "llama-3.3" || format === "template" ? "llama-3.1" : format;
    return llama3Steps(read, { ...llama, format: same, date: today });
  };
  const own = () => [templateOptions(checked), ownModel(checked)] as const;
  return {
    ...{ format, tools, builtinTools },
    render: async (read, signal, { addGenerationPrompt: asked = addGenerationPrompt } = {}) => {
      const only = { addGenerationPrompt: asked };
      const media = read.flatMap(mediaOf);
      if (format !== "template") {
        return withMedia(await inTurns(typedSteps(read, only), signal), media);
      }
      const [options, model] = own();
      return withMedia(await renderTemplate(read, { ...options, ...only }, model, signal), media);
    },
    renderSync: (read) =>
      withMedia(
        format === "template" ? renderTemplateSync(read, ...own()) : atOnce(typedSteps(read)),
        read.flatMap(mediaOf),
      ),
    templateFormat: async (read, { choice, schema = false, parallelToolCalls = true }, signal) =>
      templateFormat(
        read,
        { ...own()[0], toolChoice: choice, schema, parallelToolCalls },
        ownModel(checked),
        signal,
      ),
    openAnswer: (answer, firstCall) =>
      new TemplateAnswer({
        ...{ format: answer, model: ownModel(checked), firstCall },
        names: new Set(tools.map((tool) => tool.function.name)),
      }),
  };
}

function mediaOf(message: RenderableMessage): readonly ReadMedia[] {
  return (message.role === "user" && message.media) || [];
}

interface CheckedOptions {
  readonly format: ChatFormatName | "template" | "auto";
  readonly model: LoadedModel | undefined;
  readonly tools: readonly ToolDefinition[];
  readonly builtinTools: readonly BuiltinTool[];
  readonly toolsInUserMessage: boolean | undefined;
  readonly toolFallback: ToolFallback;
  readonly addGenerationPrompt: boolean;
  readonly date: Date | string | undefined;
  readonly templateVariables: Readonly<Record<string, unknown>>;
  readonly chatTemplate: string | undefined;
  readonly effort?: ReasoningEffort | undefined;
}

function readRenderOptions(options: RenderChatOptions | undefined): CheckedOptions {
  const {
    format = "auto",
    model,
    tools = [],
    builtinTools = [],
    toolsInUserMessage,
    toolFallback = "describe",
    addGenerationPrompt = true,
    date,
    templateVariables = {},
    chatTemplate,
  } = readOptions(options, "options", RENDER_OPTIONS);
  if (!isPlainObject(templateVariables)) {
    throw expected("a plain object", "options.templateVariables", templateVariables);
  }
  if (toolsInUserMessage !== undefined) boolean(toolsInUserMessage, "options.toolsInUserMessage");
  return {
    format: oneOf(format, "options.format", FORMATS),
    model: model === undefined ? undefined : readModel(model),
    tools: readTools(tools, "options.tools"),
    builtinTools: readBuiltinTools(builtinTools),
    toolsInUserMessage,
    toolFallback: oneOf(toolFallback, "options.toolFallback", ["describe", "error"]),
    addGenerationPrompt: boolean(addGenerationPrompt, "options.addGenerationPrompt"),
    date: readDate(date),
    templateVariables,
    chatTemplate: readTemplate(chatTemplate, format),
  };
}

function readTemplate(template: unknown, format: unknown): string | undefined {
  if (template === undefined) return undefined;
  const name = "options.chatTemplate";
  const text = string(template, name);
  // An empty file would make every prompt empty.
  if (text.trim() === "") throw expected("a Jinja template", name, text);
  if (text.length > TEMPLATE_MAX) {
    throw expected(`a Jinja template of at most ${TEMPLATE_MAX} characters`, name, text);
  }
  if (format === "auto" || format === "template") return text;
  throw invalid(
    `\`options.format\` is ${show(format)}, which has no template: leave it out, or \`chatTemplate\``,
    { name },
  );
}

/** Known by what is asked of it here, so that a stand-in serves where there is no file. */
function readModel(model: unknown): LoadedModel {
  const wrong = (cause?: unknown) => expected("a Model", "options.model", model, cause);
  try {
    const { chatTemplate, tokenId } = model as Partial<LoadedModel>;
    const isText = chatTemplate === null || typeof chatTemplate === "string";
    if (typeof tokenId === "function" && isText) return model as LoadedModel;
  } catch (error) {
    throw wrong(error);
  }
  throw wrong();
}

function readBuiltinTools(value: unknown): readonly BuiltinTool[] {
  const names = list(value, "options.builtinTools", "an array of built-in tools", (name, at) =>
    oneOf(name, at, BUILTIN_TOOLS),
  );
  return [...new Set(names)];
}

function readDate(value: unknown): Date | string | undefined {
  if (value === undefined || typeof value === "string") return value;
  // A Date of any realm, read by the built-in method, which a subclass cannot override.
  const time = types.isDate(value) ? Date.prototype.getTime.call(value) : Number.NaN;
  if (Number.isNaN(time)) throw expected("a valid Date or a string", "options.date", value);
  return new Date(time);
}

/** The date as `strftime("%d %b %Y")` writes it in the C locale, in local time. */
function shownDate(date = new Date()): string {
  const day = String(date.getDate()).padStart(2, "0");
  return `${day} ${MONTHS[date.getMonth()]} ${String(date.getFullYear()).padStart(4, "0")}`;
}

type ResolvedFormat = Exclude<CheckedOptions["format"], "auto">;

function resolveFormat({ format, model, chatTemplate }: CheckedOptions): ResolvedFormat {
  if (format !== "auto") return format;
  if (chatTemplate !== undefined) return formatOfText(chatTemplate);
  return model === undefined ? "llama-3.1" : formatOf(model);
}

/** Formats by model: a template is long, and every turn asks. */
const formats = new WeakMap<LoadedModel, ResolvedFormat>();

function formatOf(model: LoadedModel): ResolvedFormat {
  const known = formats.get(model);
  if (known !== undefined) return known;
  const format =
    model.chatTemplate === null
      ? formatByVocabulary(model)
      : (recogniseFormat(model.chatTemplate) ?? "template");
  formats.set(model, format);
  return format;
}

/** The same of templates that were given, by their text. A program has a few of them. */
const formatsOfTexts = new Map<string, ResolvedFormat>();
const TEXTS_KEPT = 8;

function formatOfText(template: string): ResolvedFormat {
  const known = formatsOfTexts.get(template);
  if (known !== undefined) return known;
  const format = recogniseFormat(template) ?? "template";
  if (formatsOfTexts.size === TEXTS_KEPT) formatsOfTexts.clear();
  formatsOfTexts.set(template, format);
  return format;
}

/** A model without a template belongs to the Llama family if its vocabulary does. */
function formatByVocabulary(model: LoadedModel): ResolvedFormat {
  const has = (control: string) => model.tokenId(control) !== null;
  if (!LLAMA_3_CONTROLS.every(has)) {
    if (LLAMA_4_CONTROLS.every(has)) return "llama-4";
    throw new CriaError(
      "ERR_UNSUPPORTED",
      "The model has no chat template, and its vocabulary is not that of Llama 3 or 4: " +
        "give the `format` that it was trained on, or generate from a prompt of your own",
      { details: { name: "options.format" } },
    );
  }
  return LLAMA_31_CONTROLS.every(has) ? "llama-3.1" : "llama-3";
}

function ownModel({ model }: CheckedOptions): LoadedModel {
  if (model !== undefined) return model;
  throw expected('a model, since `format` is "template",', "options.model", model);
}

function templateOptions(options: CheckedOptions): TemplateOptions {
  const { tools, builtinTools, toolsInUserMessage, addGenerationPrompt, date } = options;
  const { chatTemplate, model } = options;
  return {
    chatTemplate,
    tools,
    toolFallback: options.toolFallback,
    addGenerationPrompt,
    date,
    // The names are those of Llama's own templates and their derivatives.
    templateVariables: {
      ...effortVariables(chatTemplate ?? model?.chatTemplate ?? "", options.effort),
      ...(builtinTools.length > 0 && { builtin_tools: builtinTools }),
      ...(toolsInUserMessage !== undefined && { tools_in_user_message: toolsInUserMessage }),
      ...options.templateVariables,
    },
  };
}
