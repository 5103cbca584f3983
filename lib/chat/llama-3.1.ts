import type { Prompt, PromptSegment } from "../prompt.js";

/** What a plain conversation is made of; tool calls and their results are not rendered here. */
export interface Llama31Message {
  readonly role: "system" | "user" | "assistant";
  readonly content: string;
}

export interface Llama31Options {
  /** Shown as "Today Date"; the templates of Llama 3.1 and 3.3 say 26 Jul 2024 when none is given. */
  readonly date?: string;
  /** Whether the prompt ends where the assistant's answer begins; default true. */
  readonly addGenerationPrompt?: boolean;
}

/** Control tokens a model must have for this format. */
export const LLAMA_31_CONTROLS = [
  "<|begin_of_text|>",
  "<|start_header_id|>",
  "<|end_header_id|>",
  "<|eot_id|>",
] as const;

const CUTTING_KNOWLEDGE_DATE = "December 2023";
const DEFAULT_DATE = "26 Jul 2024";

/**
 * A conversation as Llama 3.1 and 3.3 were trained to read it. Only the framing is control tokens: a
 * message that spells `<|eot_id|>` stays text. The segments cut where Meta's own encoder cuts, so the
 * token ids are the same; like the models' own templates it trims each message.
 */
export function renderLlama31(
  messages: readonly Llama31Message[],
  { date = DEFAULT_DATE, addGenerationPrompt = true }: Llama31Options = {},
): Prompt {
  const [first] = messages;
  const system = first?.role === "system" ? first.content.trim() : "";
  const turns = first?.role === "system" ? messages.slice(1) : messages;
  const dates = `Cutting Knowledge Date: ${CUTTING_KNOWLEDGE_DATE}\nToday Date: ${date}\n\n`;
  return [
    { control: "<|begin_of_text|>" },
    ...message("system", dates + system),
    ...turns.flatMap(({ role, content }) => message(role, content.trim())),
    ...(addGenerationPrompt ? header("assistant") : []),
  ];
}

function message(role: Llama31Message["role"], content: string): PromptSegment[] {
  return [...header(role), { text: content }, { control: "<|eot_id|>" }];
}

function header(role: Llama31Message["role"]): PromptSegment[] {
  return [
    { control: "<|start_header_id|>" },
    { text: role },
    { control: "<|end_header_id|>" },
    { text: "\n\n" },
  ];
}
