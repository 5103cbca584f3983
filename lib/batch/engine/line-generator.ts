import { type AnswerReader, budgetOf, readerOf } from "../../chat/answer-reader.js";
import { forTemplates } from "../../chat/fitted-prompt.js";
import { ReasoningTokens } from "../../chat/reasoning-tokens.js";
import { countCalls } from "../../chat/session-history.js";
import {
  type CheckedTurnOptions,
  needsTools,
  readTurnOptions,
} from "../../chat/session-options.js";
import type { Context } from "../../context/context.js";
import type { GenerateOptions, Generation, GenerationResult } from "../../generation/generation.js";
import { invalid } from "../../internal/errors.js";
import { given } from "../../internal/given.js";
import { inTurns } from "../../internal/steps.js";
import { messageSteps } from "../../messages/messages.js";
import type { RenderableMessage } from "../../messages/pairing.js";
import type {
  ParsedToolCall,
  ToolDefinition,
  ToolDefinitionInput,
} from "../../messages/tool-types.js";
import type { LoadedModel } from "../../model/loaded-model.js";
import { type PromptInput, promptToString } from "../../model/prompt.js";
import type { Grammar } from "../../sampling/grammar.js";
import type { Sampler } from "../../sampling/sampler.js";
import { answerGrammar, responseSchemaOf } from "../../tools/answer-grammar.js";
import { seedOf } from "../input/custom-ids.js";
import type { ChatPlan, CompletionPlan, GenerationPlan } from "../input/request-plans.js";
import { type ChatChoice, chatAnswer, completionAnswer } from "../output/answer-bodies.js";
import type { Identity, PreparedRequest } from "./batch-engine.js";

/** What holds for the lines of a run that do not say otherwise. */
export interface RunDefaults {
  readonly sampler: Sampler;
  readonly maxTokens: number | undefined;
  readonly stop: readonly string[] | undefined;
  readonly system: string | undefined;
  readonly schema: object | undefined;
  readonly tools: readonly ToolDefinitionInput[] | undefined;
  readonly date: Date | string;
  readonly chatTemplate: string | undefined;
  readonly name: string;
}

/** How many sets of tools and schemas are kept with their grammars. Most files have one. */
const KEPT_RULES = 32;

export interface LineGeneratorParts {
  readonly model: LoadedModel;
  readonly open: () => Promise<Context>;
  readonly defaults: RunDefaults;
}

/** Carries out the lines that generate: chats and completions. */
export class LineGenerator {
  readonly #model: LoadedModel;
  readonly #open: () => Promise<Context>;
  readonly #defaults: RunDefaults;
  /** By their JSON, the most recently used last. */
  readonly #rules = new Map<string, CheckedTurnOptions>();

  constructor({ model, open, defaults }: LineGeneratorParts) {
    this.#model = model;
    this.#open = open;
    this.#defaults = defaults;
  }

  async prepareCompletion(plan: CompletionPlan, identity: Identity): Promise<PreparedRequest> {
    const { system, tools } = this.#defaults;
    const [text, ...more] = plan.prompts;
    if (typeof text === "string" && more.length === 0 && (system ?? tools) !== undefined) {
      const messages = [{ role: "user", content: text }] as const;
      const chat = { tools: undefined, toolChoice: undefined };
      return this.prepareChat({ ...plan, ...chat, kind: "chat", messages }, identity);
    }
    const { schema = this.#defaults.schema } = plan;
    const options = this.#options(plan, identity, schema && (await schemaGrammar(schema)));
    const prompts = plan.prompts.map((prompt) => prompt as PromptInput);
    return {
      lane: "generation",
      prefix: String(text),
      start: async (signal) => {
        const asked = prompts.flatMap((prompt) =>
          options.map((option) => ({ prompt, options: option })),
        );
        const results = await this.#generate(asked, signal);
        return completionAnswer(identity.hash, this.#nameOf(plan), results, prompts.length);
      },
    };
  }

  async prepareChat(plan: ChatPlan, identity: Identity): Promise<PreparedRequest> {
    const rules = this.#rulesOf(plan);
    const { renderer } = rules;
    const read = this.#withSystem(await inTurns(messageSteps(plan.messages, "messages")));
    const messages = renderer.format === "template" ? forTemplates(read) : read;
    const prompt = await renderer.render(messages);
    // This one is only asked how to generate: each answer has a reader of its own.
    const reader = await readerOf(answerTo(rules, messages));
    const { grammar, special, stop } = reader;
    const reasoningBudget = budgetOf(rules.reasoning, reader);
    const options = this.#options(plan, identity, grammar).map((option) => ({
      ...option,
      ...given({ reasoningBudget }),
      special,
      stop: [...(option.stop ?? []), ...stop],
    }));
    return {
      lane: "generation",
      prefix: promptToString(prompt, this.#model),
      start: async (signal) => {
        const asked = options.map((option) => ({ prompt, options: option }));
        const results = await this.#generate(asked, signal);
        const choices = await Promise.all(
          results.map(async (result) =>
            choiceOf(result, await readerOf(answerTo(rules, messages)), this.#model),
          ),
        );
        return chatAnswer(identity.hash, this.#nameOf(plan), choices);
      },
    };
  }

  /** All results. The first failure cancels the others. */
  async #generate(
    asked: readonly { prompt: PromptInput; options: GenerateOptions }[],
    signal: AbortSignal,
  ): Promise<GenerationResult[]> {
    const context = await this.#open();
    const generations: Generation[] = [];
    try {
      for (const { prompt, options } of asked) {
        generations.push(context.generate(prompt, { ...options, signal }));
      }
      return await Promise.all(generations.map((generation) => generation.result()));
    } catch (error) {
      for (const generation of generations) generation.cancel();
      await Promise.allSettled(generations.map((generation) => generation.result()));
      throw error;
    }
  }

  /** The options of each choice: they differ in their seeds. */
  #options(
    plan: GenerationPlan,
    identity: Identity,
    grammar: Grammar | undefined,
  ): GenerateOptions[] {
    const { sampler, maxTokens, stop } = this.#defaults;
    const { seed = identity.seed, ...sampling } = plan.sampling;
    if (grammar !== undefined && sampling.grammar !== undefined) {
      throw invalid("`grammar` goes with neither `tools` nor a schema: leave one of them out");
    }
    const common = {
      stop: plan.stop ?? stop ?? [],
      cachePrompt: "exact" as const,
      maxPause: Number.POSITIVE_INFINITY,
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
    const { date, chatTemplate } = this.#defaults;
    if (typeof toolChoice === "object" && (tools ?? []).length === 0) {
      throw needsTools("options.toolChoice");
    }
    const key = keyOf([tools, toolChoice, parallelToolCalls, schema, effort]);
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
    this.#rules.set(key, rules);
    if (this.#rules.size > KEPT_RULES)
      this.#rules.delete(this.#rules.keys().next().value as string);
    return rules;
  }

  #withSystem(messages: readonly RenderableMessage[]): readonly RenderableMessage[] {
    const { system } = this.#defaults;
    if (system === undefined || messages.some(({ role }) => role === "system")) return messages;
    return [{ role: "system", content: system }, ...messages];
  }

  #nameOf({ model }: GenerationPlan): string {
    return model ?? this.#defaults.name;
  }
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
    callsBefore: countCalls(messages),
    rules: { choice: toolChoice, constrainTools, parallelToolCalls, responseSchema },
  };
}

async function choiceOf(
  result: GenerationResult,
  reader: AnswerReader,
  model: LoadedModel,
): Promise<ChatChoice> {
  const parts = [...(await reader.push(result.text)), ...(await reader.finish(result.stopReason))];
  const calls: ParsedToolCall[] = [];
  let content = "";
  let reasoning = "";
  for (const part of parts) {
    if (part.type === "text") content += part.text;
    if (part.type === "reasoning") reasoning += part.text;
    if (part.type === "tool-call") calls.push(part.call);
  }
  const thoughts = new ReasoningTokens(model);
  thoughts.add(result.text, result.tokens);
  const reasoningTokens = thoughts.count(reader.reasoningRanges);
  return { content, reasoning, reasoningTokens, calls, result };
}
