import { effortVariables } from "../../lib/chat/formats/reasoning-effort.js";
import { TemplateAnswer } from "../../lib/chat/formats/template-answer.js";
import type { TemplateFormat, TemplateOptions } from "../../lib/chat/formats/template-format.js";
import { type ChatMessageInput, type Model, promptToString } from "../../lib/index.js";
import type { NativeFormatRequest } from "../../lib/internal/native.js";
import { nativeWork } from "../../lib/internal/native-work.js";
import { insideOf } from "../../lib/model/loaded-model.js";
import { tool } from "./conversations.js";
import { render, request, template } from "./templates.js";

const people = {
  type: "function",
  function: {
    name: "count_people",
    description: "Counts the people of a city",
    parameters: {
      type: "object",
      properties: { city: { type: "string" }, year: { type: "integer" } },
      required: ["city", "year"],
    },
  },
} as const;

export const TOOLS = [tool, people];
export const QUESTION = { role: "user", content: "What is the capital of Peru?" } as const;
export const THOUGHT = "Peru, hm.";
export const SAID = "Let me see.";

const call = (id: string, name: string, args: object) =>
  ({ id, type: "function", function: { name, arguments: JSON.stringify(args) } }) as const;
export const ONE = call("call00001", "find_capital", { country: "Peru" });
export const TWO = call("call00002", "count_people", { city: "Lima", year: 2020 });

/** Answers as messages, which a template writes as its model would. */
export const ANSWERS = {
  plain: { role: "assistant", content: SAID },
  thought: { role: "assistant", content: SAID, reasoning_content: THOUGHT },
  call: { role: "assistant", content: null, tool_calls: [ONE] },
  said: { role: "assistant", content: SAID, tool_calls: [ONE] },
  calls: { role: "assistant", content: null, tool_calls: [ONE, TWO] },
  "thought call": {
    role: "assistant",
    content: null,
    reasoning_content: THOUGHT,
    tool_calls: [ONE],
  },
} as const satisfies Record<string, ChatMessageInput>;
export type AnswerKind = keyof typeof ANSWERS;

/** What is to be found in an answer. */
export interface Found {
  readonly content: string;
  readonly reasoning: string;
  readonly calls: readonly (readonly [name: string, args: unknown])[];
}

/** An answer as a model of the template would write it, and what it says. */
export interface ScriptedAnswer {
  readonly text: string;
  readonly format: TemplateFormat;
  readonly says: Found;
}

export function formatOf(
  model: Model,
  name: string,
  more: Partial<NativeFormatRequest> = {},
  options: Partial<TemplateOptions> = {},
): Promise<TemplateFormat> {
  const { native } = insideOf(model);
  const asked = request(template(name), [QUESTION], options);
  const rules = { toolChoice: "auto", parallelToolCalls: true, schema: false } as const;
  return nativeWork(
    native,
    (id) => native.startFormat(id, { ...asked, ...rules, ...more }),
    undefined,
  );
}

/**
 * The answer that the template itself writes into a history, without the end of the turn. A template that
 * begins thoughts in the prompt gets them in front.
 */
export async function scripted(
  model: Model,
  name: string,
  kind: AnswerKind,
): Promise<ScriptedAnswer> {
  const tools = kind === "plain" || kind === "thought" ? [] : TOOLS;
  const effort = kind.startsWith("thought") ? "high" : undefined;
  const templateVariables = effortVariables(template(name), effort);
  const show = (messages: readonly ChatMessageInput[], addGenerationPrompt: boolean) =>
    promptToString(
      render(model, template(name), messages, { tools, addGenerationPrompt, templateVariables }),
    );
  const format = await formatOf(model, name, {}, { tools, templateVariables });
  const own = OWN[name]?.[kind];
  if (own !== undefined) return { text: own, format, says: saidIn(own, kind) };
  const prompt = show([QUESTION], true);
  const history = show([QUESTION, ANSWERS[kind]], false);
  const told = history.slice(endOfPrompt(prompt, history, format));
  const text = withoutEnd(told, show, format);
  const whole = isThinking(prompt, format) ? behindThoughts(text, format) : text;
  return { text: whole, format, says: saidIn(whole, kind) };
}

/** Where the answer begins in the history. */
function endOfPrompt(prompt: string, history: string, format: TemplateFormat): number {
  if (history.startsWith(prompt)) return prompt.length;
  const { reasoningStart, generationPrompt } = format;
  const begun = reasoningStart === "" ? -1 : prompt.lastIndexOf(reasoningStart);
  if (begun > 0 && history.startsWith(prompt.slice(0, begun))) return begun;
  return history.lastIndexOf(generationPrompt) + generationPrompt.length;
}

/** Whether the prompt ends within thoughts. */
export function isThinking(
  prompt: string,
  { reasoningStart, reasoningEnds }: TemplateFormat,
): boolean {
  if (reasoningStart === "") return false;
  const begun = prompt.lastIndexOf(reasoningStart);
  return begun > Math.max(-1, ...reasoningEnds.map((end) => prompt.lastIndexOf(end)));
}

function withoutEnd(
  text: string,
  show: (messages: readonly ChatMessageInput[], add: boolean) => string,
  { preservedTokens }: TemplateFormat,
): string {
  const other = show([QUESTION, { role: "assistant", content: "XQZ" }], false);
  const end = other.slice(other.lastIndexOf("XQZ") + 3);
  const [told = ""] = text.split(/<\|START_OF_TURN_TOKEN\|>|\n<SPECIAL_12>|<SPECIAL_12>/);
  let cut = end !== "" && told.endsWith(end) ? told.slice(0, -end.length) : told;
  cut = cut.replace(/(?:<\|eom_id\|>|<\|END_OF_TURN_TOKEN\|>)$/, "");
  for (;;) {
    const [last = ""] = /(?:<[^<>\s]*>(?:\s|assistant)*)$/.exec(cut) ?? [];
    const marks = preservedTokens.some((token) => token.includes(last.trim()));
    if (last === "" || marks || !/<[|｜]/.test(last)) return cut;
    cut = cut.slice(0, -last.length);
  }
}

/** The prompt has begun thoughts, and the history leaves them out, or begins them itself. */
function behindThoughts(text: string, { reasoningStart, reasoningEnds }: TemplateFormat): string {
  const end = reasoningEnds.find((mark) => mark.startsWith("<") || mark.startsWith("[")) ?? "";
  const told = text.trimStart().startsWith(reasoningStart)
    ? text.trimStart().slice(reasoningStart.length)
    : text;
  if (told.includes(THOUGHT)) return told;
  const behind = told.includes(end) ? told.slice(told.indexOf(end) + end.length) : told;
  return `${THOUGHT}\n${end}${behind}`;
}

/** Answers of models whose templates leave calls to the caller. */
const LFM2 = {
  call: '<|tool_call_start|>[find_capital(country="Peru")]<|tool_call_end|>',
  said: `${SAID}<|tool_call_start|>[find_capital(country="Peru")]<|tool_call_end|>`,
  calls:
    '<|tool_call_start|>[find_capital(country="Peru"), count_people(city="Lima", year=2020)]' +
    "<|tool_call_end|>",
  "thought call": `<think>${THOUGHT}</think><|tool_call_start|>[find_capital(country="Peru")]<|tool_call_end|>`,
};
const OWN: Readonly<Record<string, Partial<Record<AnswerKind, string>>>> = {
  "LFM2-8B-A1B": LFM2,
  "LFM2.5-Instruct": LFM2,
};

function saidIn(text: string, kind: AnswerKind): Found {
  const { tool_calls: calls = [] } = ANSWERS[kind] as { tool_calls?: readonly (typeof ONE)[] };
  const has = (part: string) => (text.includes(part) ? part : "");
  return {
    content: has(SAID),
    reasoning: has(THOUGHT),
    calls: calls
      .filter((one) => text.includes(one.function.name))
      .map((one) => [one.function.name, JSON.parse(one.function.arguments) as unknown]),
  };
}

/** Reads an answer that comes in these pieces. */
export async function readPieces(
  model: Model,
  format: TemplateFormat,
  pieces: readonly string[],
  cutOff = false,
) {
  const names = new Set(TOOLS.map((one) => one.function.name));
  const answer = new TemplateAnswer({ format, model, names });
  const parts = [];
  for (const piece of pieces) parts.push(...(await answer.push(piece)));
  parts.push(...(await answer.finish(cutOff)));
  return parts;
}

export function foundIn(parts: Awaited<ReturnType<typeof readPieces>>): Found {
  const text = (type: "text" | "reasoning") =>
    parts.map((part) => (part.type === type ? part.text : "")).join("");
  return {
    content: text("text").trim(),
    reasoning: text("reasoning").trim(),
    calls: parts.flatMap((part) =>
      part.type === "tool-call"
        ? [[part.call.function.name, part.call.problem ?? JSON.parse(part.call.function.arguments)]]
        : [],
    ),
  };
}
