import { effortVariables } from "../../lib/chat/formats/reasoning-effort.js";
import { schemaGrammar } from "../../lib/chat/formats/template-grammar.js";
import { type ChatMessageInput, Grammar, type Model, promptToString } from "../../lib/index.js";
import { tool } from "./conversations.js";
import {
  ANSWERS,
  type AnswerKind,
  formatOf,
  foundIn,
  isThinking,
  ONE,
  QUESTION,
  readPieces,
  SAID,
  scripted,
  TOOLS,
  TWO,
} from "./scripted-answers.js";
import { render, template } from "./templates.js";

const COLUMNS = [
  ...["Plain chat", "Tools", "Several calls", "Results", "Thoughts on", "Thoughts off"],
  ...["`content: null`", "Schema", "Schema and tools"],
];

const RESULT = { role: "tool", tool_call_id: ONE.id, content: "outcome-17" } as const;
const RESULTS = [RESULT, { role: "tool", tool_call_id: TWO.id, content: "8" }] as const;

/** What works with a template: each cell is tried out. */
async function rowOf(model: Model, name: string): Promise<string[]> {
  const show = (messages: readonly ChatMessageInput[], options = {}) =>
    promptToString(
      render(model, template(name), messages, { addGenerationPrompt: false, ...options }),
    );
  const cells = [
    () => read(model, name, "plain"),
    () => tools(model, name),
    async () => {
      const shown = show([QUESTION, ANSWERS.calls, RESULT, RESULTS[1]], { tools: TOOLS });
      if (![ONE, TWO].every((one) => shown.includes(one.function.arguments.slice(2, 6))))
        return "lost";
      return shown.indexOf("outcome-17") < shown.lastIndexOf("2020")
        ? "one by one"
        : read(model, name, "calls");
    },
    async () => {
      const shown = show([QUESTION, ANSWERS.call, RESULT], { tools: TOOLS });
      if (!shown.includes("outcome-17")) return "lost";
      return shown.includes("<tool_response>\noutcome-17\n</tool_response>") &&
        !template(name).includes("<tool_response>")
        ? "described"
        : "works";
    },
    () => thoughts(model, name),
    () => thoughtsOff(model, name),
    async () => (show([QUESTION, ANSWERS.call]).includes(ONE.function.name) ? "works" : "lost"),
    () => schema(model, name, false),
    () => schema(model, name, true),
  ];
  return Promise.all(cells.map((cell) => cell().catch(reasonOf)));
}

/** The template's own words, without the place. */
function reasonOf(error: unknown): string {
  const { message } = error as Error;
  const told = message.replace("The model's chat template failed: ", "").replace(/ \(line .*/s, "");
  return `refused: ${told.replaceAll("|", "\\|")}`;
}

async function read(model: Model, name: string, kind: AnswerKind): Promise<string> {
  const { text, format, says } = await scripted(model, name, kind);
  const { tool_calls: asked = [] } = ANSWERS[kind] as { readonly tool_calls?: readonly unknown[] };
  const wanted = asked.length;
  if (says.calls.length < wanted) return "lost";
  const found = foundIn(await readPieces(model, format, [text]));
  if (found.calls.length < wanted) return "read as text";
  return found.content === (kind === "plain" ? SAID : "") ? "works" : "wrong";
}

async function tools(model: Model, name: string): Promise<string> {
  const prompt = promptToString(
    render(model, template(name), [QUESTION], { tools: TOOLS, addGenerationPrompt: true }),
  );
  if (!TOOLS.every((one) => prompt.includes(one.function.name))) return "lost";
  const works = await read(model, name, "call");
  if (works !== "works") return works;
  return prompt.includes("between <tool_call> and </tool_call>") ? "described" : "works";
}

async function thoughts(model: Model, name: string): Promise<string> {
  const plain = await formatOf(model, name);
  const wanted = effortVariables(template(name), "high");
  const format = await formatOf(model, name, {}, { templateVariables: wanted });
  const prompt = promptToString(
    render(model, template(name), [QUESTION], { templateVariables: wanted }),
  );
  const { reasons, reasoningStart, reasoningEnds } = format;
  const [start, end] = format.preservedTokens.includes("<|eom|>")
    ? [" to=self<|message|>", "<|eom|><|start|>assistant to=user<|message|>"]
    : reasons
      ? [reasoningStart, reasoningEnds.find((mark) => !mark.startsWith("\n")) ?? ""]
      : ["<think>", "</think>"];
  const behind = format.preservedTokens.includes("<|channel|>")
    ? "<|start|>assistant<|channel|>final<|message|>"
    : "";
  const begin = isThinking(prompt, format) ? "" : start;
  const text = `${begin}Peru, hm.${end}${behind}${SAID}`;
  const { reasoning, content } = foundIn(await readPieces(model, format, [text]));
  if (reasoning !== "Peru, hm." || content.replace(/<[^>]*>/g, "") !== SAID) return "wrong";
  return plain.reasons ? "works" : "`<think>`";
}

async function thoughtsOff(model: Model, name: string): Promise<string> {
  const { reasons } = await formatOf(model, name);
  if (!reasons) return "ended at once";
  const off = effortVariables(template(name), "none");
  const prompt = (templateVariables: Record<string, unknown>) =>
    promptToString(render(model, template(name), [QUESTION], { templateVariables }));
  const format = await formatOf(model, name, {}, { templateVariables: off });
  if (Object.keys(off).every((variable) => variable === "reasoning_effort")) return "ended at once";
  const differs = prompt(off) !== prompt(effortVariables(template(name), "high"));
  return differs && !isThinking(prompt(off), format) ? "by the template" : "ended at once";
}

async function schema(model: Model, name: string, withTools: boolean): Promise<string> {
  const answer = Grammar.jsonSchema({
    type: "object",
    properties: { city: { type: "string" } },
    required: ["city"],
  });
  const options = { tools: withTools ? [tool] : [] };
  const framed = await formatOf(model, name, { toolChoice: "none", schema: true }, options);
  const called = withTools
    ? await formatOf(model, name, { toolChoice: "required" }, options)
    : undefined;
  schemaGrammar(answer, framed, called);
  return "works";
}

/** The table of docs/templates.md. */
export async function templateTable(model: Model, names: readonly string[]): Promise<string> {
  const rows: string[][] = [];
  for (const name of names) rows.push([name, ...(await rowOf(model, name))]);
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [
    line(["Template", ...COLUMNS]),
    line(["Template", ...COLUMNS].map(() => "---")),
    ...rows.map(line),
  ].join("\n");
}
