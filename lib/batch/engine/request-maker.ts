import { type AnswerReader, budgetOf, readerOf } from "../../chat/answer-reader.js";
import { forTemplates } from "../../chat/fitted-prompt.js";
import { nextCall } from "../../chat/session-history.js";
import {
  type CheckedTurnOptions,
  needsTools,
  readTurnOptions,
} from "../../chat/session-options.js";
import type { GenerateOptions } from "../../generation/generation.js";
import { invalid } from "../../internal/errors.js";
import { given } from "../../internal/given.js";
import { inTurns } from "../../internal/steps.js";
import { messageSteps } from "../../messages/messages.js";
import type { RenderableMessage } from "../../messages/pairing.js";
import type { ToolDefinition, ToolDefinitionInput } from "../../messages/tool-types.js";
import type { LoadedModel } from "../../model/loaded-model.js";
import type { Prompt, PromptInput } from "../../model/prompt.js";
import type { Grammar } from "../../sampling/grammar.js";
import type { Sampler } from "../../sampling/sampler.js";
import { answerGrammar, responseSchemaOf } from "../../tools/answer-grammar.js";
import { seedOf } from "../input/custom-ids.js";
import type { ChatPlan, CompletionPlan, GenerationPlan } from "../input/request-plans.js";

/** What holds for requests that do not say otherwise. */
export interface AnswerDefaults {
  readonly sampler: Sampler;
  readonly maxTokens: number | undefined;
  readonly stop: readonly string[] | undefined;
  readonly system: string | undefined;
  readonly schema: object | undefined;
  readonly tools: readonly ToolDefinitionInput[] | undefined;
  /** Undefined: the day on which a chat is rendered. */
  readonly date: Date | string | undefined;
  readonly chatTemplate: string | undefined;
  readonly name: string;
}

/** How all requests are generated, whatever they ask for. */
export type Manner = Pick<GenerateOptions, "cachePrompt" | "maxPause">;

/** How many sets of tools and schemas are kept with their grammars. Most callers have one. */
const KEPT_RULES = 32;
/** Characters of such a set's JSON text, which is its key; larger ones are read anew each time. */
const KEPT_KEY = 2 ** 18;

/** What a chat is generated from. */
export interface ChatRequest {
  readonly prompt: Prompt;
  /** Of each choice. */
  readonly options: readonly GenerateOptions[];
  /** Each answer has a reader of its own. */
  openReader(): Promise<AnswerReader>;
}

/** What completions are generated from: each prompt with each of the options. */
export interface CompletionRequest {
  readonly prompts: readonly PromptInput[];
  readonly options: readonly GenerateOptions[];
}

export interface RequestMakerParts {
  readonly model: LoadedModel;
  readonly defaults: AnswerDefaults;
  readonly manner: Manner;
}

/** Checks and renders what is asked for: from plans it makes prompts and options of generations. */
export class RequestMaker {
  readonly #model: LoadedModel;
  readonly #defaults: AnswerDefaults;
  readonly #manner: Manner;
  /** By their JSON, the most recently used last. */
  readonly #rules = new Map<string, CheckedTurnOptions>();

  constructor({ model, defaults, manner }: RequestMakerParts) {
    this.#model = model;
    this.#defaults = defaults;
    this.#manner = manner;
  }

  /** @param seed where the request has none */
  async completion(plan: CompletionPlan, seed: number): Promise<CompletionRequest> {
    const { schema = this.#defaults.schema } = plan;
    const options = this.#options(plan, seed, schema && (await schemaGrammar(schema)));
    return { prompts: plan.prompts.map((prompt) => prompt as PromptInput), options };
  }

  /** @param seed where the request has none */
  async chat(plan: ChatPlan, seed: number, signal?: AbortSignal): Promise<ChatRequest> {
    const rules = this.#rulesOf(plan);
    const { renderer } = rules;
    const read = this.#withSystem(
      await inTurns(messageSteps(plan.messages, "messages", "inline"), signal),
    );
    const messages = renderer.format === "template" ? forTemplates(read) : read;
    const prompt = await renderer.render(messages, signal);
    const openReader = () => readerOf({ ...answerTo(rules, messages), ...given({ signal }) });
    // This one is only asked how to generate.
    const reader = await openReader();
    const { grammar, special, stop } = reader;
    const reasoningBudget = budgetOf(rules.reasoning, reader);
    const options = this.#options(plan, seed, grammar).map((option) => ({
      ...option,
      ...given({ reasoningBudget }),
      special,
      stop: [...(option.stop ?? []), ...stop],
    }));
    return { prompt, options, openReader };
  }

  /** The options of each choice: they differ in their seeds. */
  #options(plan: GenerationPlan, own: number, grammar: Grammar | undefined): GenerateOptions[] {
    const { sampler, maxTokens, stop } = this.#defaults;
    const { seed = own, ...sampling } = plan.sampling;
    if (grammar !== undefined && sampling.grammar !== undefined) {
      throw invalid("`grammar` goes with neither `tools` nor a schema: leave one of them out");
    }
    const common = {
      stop: plan.stop ?? stop ?? [],
      ...this.#manner,
      ...given({ maxTokens: plan.maxTokens ?? maxTokens, logprobs: plan.logprobs }),
    };
    return Array.from({ length: plan.choices }, (_, index) => ({
      ...common,
      sampler: sampler.with({
        ...sampling,
        ...given({ grammar }),
        seed: index === 0 ? seed : seedOf(seed, `choice ${index}`),
      }),
    }));
  }

  #rulesOf({ schema = this.#defaults.schema, ...plan }: ChatPlan): CheckedTurnOptions {
    const { tools = this.#defaults.tools, toolChoice, parallelToolCalls, effort } = plan;
    const { chatTemplate } = this.#defaults;
    // A day's rules are not the next day's.
    const date = this.#defaults.date ?? today();
    if (typeof toolChoice === "object" && (tools ?? []).length === 0) {
      throw needsTools("options.toolChoice");
    }
    const key = keyOf([tools, toolChoice, parallelToolCalls, schema, effort, date]);
    const known = this.#rules.get(key);
    this.#rules.delete(key);
    const rules =
      known ??
      readTurnOptions(
        {},
        {
          date,
          ...given({ tools, toolChoice, parallelToolCalls, responseSchema: schema, chatTemplate }),
          ...(effort !== undefined && { reasoning: { effort } }),
        },
        this.#model,
      );
    // Megabytes of descriptions would stay here for as long as nobody has other ones.
    if (key.length <= KEPT_KEY) this.#rules.set(key, rules);
    if (this.#rules.size > KEPT_RULES)
      this.#rules.delete(this.#rules.keys().next().value as string);
    return rules;
  }

  #withSystem(messages: readonly RenderableMessage[]): readonly RenderableMessage[] {
    const { system } = this.#defaults;
    if (system === undefined || messages.some(({ role }) => role === "system")) return messages;
    return [{ role: "system", content: system }, ...messages];
  }
}

/** Midnight, so that it is the same value all day. */
function today(): Date {
  const now = new Date();
  return new Date(now.getFullYear(), now.getMonth(), now.getDate());
}

function keyOf(rules: readonly unknown[]): string {
  try {
    return JSON.stringify(rules);
  } catch (error) {
    // It came from JSON, so only its depth can be too much for the stack.
    throw invalid(`The tools and schemas cannot be read: ${(error as Error).message}`);
  }
}

const NO_TOOLS: readonly ToolDefinition[] = [];

async function schemaGrammar(schema: object): Promise<Grammar | undefined> {
  const responseSchema = responseSchemaOf(schema, "schema");
  return answerGrammar({
    ...{ tools: NO_TOOLS, choice: "auto", constrainTools: false, parallelToolCalls: true },
    responseSchema,
  });
}

function answerTo(
  { renderer, toolChoice, ...rules }: CheckedTurnOptions,
  messages: readonly RenderableMessage[],
): Parameters<typeof readerOf>[0] {
  const { constrainTools, parallelToolCalls, responseSchema } = rules;
  return {
    renderer,
    messages,
    firstCall: nextCall(messages),
    rules: { choice: toolChoice, constrainTools, parallelToolCalls, responseSchema },
  };
}
