import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import {
  segmentsOf,
  type TemplateOptions,
  templateRequest,
} from "../../lib/chat/formats/template-format.js";
import type { Model, Prompt } from "../../lib/index.js";
import type { NativeTemplateRequest } from "../../lib/internal/native.js";
import { atOnce } from "../../lib/internal/steps.js";
import { type ChatMessageInput, readMessages } from "../../lib/messages/messages.js";
import type { ToolDefinition } from "../../lib/messages/tool-types.js";
import { insideOf } from "../../lib/model/loaded-model.js";
import { llamaCppDir } from "./llama-cpp-dir.js";

const DIRECTORY = join(llamaCppDir(), "models", "templates");

/** llama.cpp's collection of models' templates. */
export const TEMPLATES = readdirSync(DIRECTORY)
  .filter((name) => name.endsWith(".jinja"))
  .map((name) => name.slice(0, -".jinja".length));

export function template(name: string): string {
  return readFileSync(join(DIRECTORY, `${name}.jinja`), "utf8");
}

const DEFAULTS: TemplateOptions = {
  tools: [],
  addGenerationPrompt: true,
  date: undefined,
  templateVariables: {},
};

export function request(
  source: string,
  messages: readonly ChatMessageInput[],
  options: Partial<TemplateOptions> = {},
): NativeTemplateRequest {
  return templateRequest(source, readMessages(messages), { ...DEFAULTS, ...options });
}

/** As `renderTemplate` does it, with a template that is not the model's. */
export function render(
  model: Model,
  source: string,
  messages: readonly ChatMessageInput[],
  options: Partial<TemplateOptions> = {},
): Prompt {
  return atOnce(
    segmentsOf(insideOf(model).native.renderTemplate(request(source, messages, options))),
  );
}

/** The ids that a context would evaluate. */
export function tokensOf(model: Model, prompt: Prompt): number[] {
  return prompt.flatMap((segment) => {
    if ("text" in segment) return [...model.tokenize(segment.text)];
    if ("control" in segment) return [model.tokenId(segment.control) as number];
    if ("tokens" in segment) return [...segment.tokens];
    throw new Error("Media have no ids.");
  });
}

/** A tool and an exchange with it in which `text` is in every field that a text can be in. */
export function everywhere(text: string): [readonly ChatMessageInput[], Partial<TemplateOptions>] {
  const json = JSON.stringify({ city: text, [text]: [text, { [text]: text }] });
  const tool: ToolDefinition = {
    type: "function",
    function: {
      name: `look_up${text}`,
      description: `Looks ${text} up`,
      parameters: {
        type: "object",
        description: text,
        properties: {
          city: { type: "string", description: text, enum: [text, "Lima"] },
          [text]: { type: "string" },
        },
        required: ["city", text],
      },
    },
  };
  const call = { name: `look_up${text}`, arguments: json };
  return [
    [
      { role: "system", content: `Be ${text} brief` },
      { role: "user", content: `What is ${text} here?` },
      { role: "assistant", content: `This ${text}` },
      { role: "user", content: [{ type: "text", text }] },
      {
        role: "assistant",
        content: null,
        tool_calls: [{ id: "call00001", type: "function", function: call }],
      },
      { role: "tool", tool_call_id: "call00001", name: `look_up${text}`, content: text },
      { role: "assistant", content: text },
      { role: "user", content: `${text}${text}` },
    ],
    { tools: [tool], templateVariables: { custom: text, reasoning_effort: text } },
  ];
}
