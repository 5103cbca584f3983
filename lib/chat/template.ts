import { CriaError } from "../errors.js";
import type { Model } from "../model.js";
import type { Prompt } from "../prompt.js";
import type { ToolDefinition } from "../tools/types.js";
import type { RenderableMessage } from "./messages.js";

/** What a model's own template takes, checked. */
export interface TemplateOptions {
  readonly tools: readonly ToolDefinition[];
  readonly addGenerationPrompt: boolean;
  /** `date_string`; a `Date` is the now of `strftime_now`, and undefined is today. */
  readonly date: Date | string | undefined;
  readonly templateVariables: Readonly<Record<string, unknown>>;
}

/** A conversation rendered by the model's own Jinja template. */
export function renderTemplate(
  _messages: readonly RenderableMessage[],
  _options: TemplateOptions,
  model: Model,
): Prompt {
  throw new CriaError(
    "ERR_UNSUPPORTED",
    `The chat template of ${model.description} is none that cria knows: give a \`format\``,
  );
}
