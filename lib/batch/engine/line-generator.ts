import type { Context } from "../../context/context.js";
import type { GenerationResult } from "../../generation/generation.js";
import type { Places } from "../../internal/places.js";
import type { LoadedModel } from "../../model/loaded-model.js";
import { promptToString } from "../../model/prompt.js";
import type { ChatPlan, CompletionPlan, GenerationPlan } from "../input/request-plans.js";
import { chatAnswer, completionAnswer } from "../output/answer-bodies.js";
import type { Identity, PreparedRequest } from "./batch-engine.js";
import { type AnswerDefaults, RequestMaker } from "./request-maker.js";
import { type Asked, choiceOf, generateAll } from "./whole-answers.js";

/** What holds for the lines of a run that do not say otherwise. */
export interface RunDefaults extends AnswerDefaults {
  readonly date: Date | string;
}

export interface LineGeneratorParts {
  readonly model: LoadedModel;
  readonly open: () => Promise<Context>;
  readonly defaults: RunDefaults;
  /** What the lines' generations share where others use the context, too. Default: each line has a window of its own. */
  readonly places?: Places;
}

/** The same line has the same answer, and all lines together are done as soon as can be. */
const MANNER = { cachePrompt: "exact", maxPause: Number.POSITIVE_INFINITY } as const;

/** Carries out the lines that generate: chats and completions. */
export class LineGenerator {
  readonly #model: LoadedModel;
  readonly #open: () => Promise<Context>;
  readonly #defaults: RunDefaults;
  readonly #maker: RequestMaker;
  readonly #places: Places | undefined;

  constructor({ model, open, defaults, places }: LineGeneratorParts) {
    this.#model = model;
    this.#open = open;
    this.#defaults = defaults;
    this.#places = places;
    this.#maker = new RequestMaker({ model, defaults, manner: MANNER });
  }

  async prepareCompletion(plan: CompletionPlan, identity: Identity): Promise<PreparedRequest> {
    const { system, tools } = this.#defaults;
    const [text, ...more] = plan.prompts;
    if (typeof text === "string" && more.length === 0 && (system ?? tools) !== undefined) {
      const messages = [{ role: "user", content: text }] as const;
      const chat = { tools: undefined, toolChoice: undefined };
      return this.prepareChat({ ...plan, ...chat, kind: "chat", messages }, identity);
    }
    const { prompts, options } = await this.#maker.completion(plan, identity.seed);
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
    const { prompt, options, openReader } = await this.#maker.chat(plan, identity.seed);
    return {
      lane: "generation",
      prefix: promptToString(prompt, this.#model),
      start: async (signal) => {
        const asked = options.map((option) => ({ prompt, options: option }));
        const results = await this.#generate(asked, signal);
        const choices = await Promise.all(
          results.map(async (result) => choiceOf(result, await openReader(), this.#model)),
        );
        return chatAnswer(identity.hash, this.#nameOf(plan), choices);
      },
    };
  }

  async #generate(asked: readonly Asked[], signal: AbortSignal): Promise<GenerationResult[]> {
    return generateAll(await this.#open(), asked, { signal, places: this.#places });
  }

  #nameOf({ model }: GenerationPlan): string {
    return model ?? this.#defaults.name;
  }
}
