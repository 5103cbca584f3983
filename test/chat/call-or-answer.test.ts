import { readerOf } from "../../lib/chat/answer-reader.js";
import type { TemplateFormat } from "../../lib/chat/formats/template-format.js";
import { chatRenderer, type RenderChatOptions } from "../../lib/chat/render-chat.js";
import { ChatSession, defineTool, Model } from "../../lib/index.js";
import { tool } from "../support/conversations.js";
import { MODEL } from "../support/paths.js";
import {
  foundIn,
  ONE,
  QUESTION,
  readPieces,
  scripted,
  THOUGHT,
  TOOLS,
} from "../support/scripted-answers.js";
import { scripted as scriptedContext } from "../support/scripted-context.js";
import { TEMPLATES, template } from "../support/templates.js";

// Beside tools, an answer that follows a schema may quote what a user wrote: what spells a call there must not run.

const { function: capital } = ONE;
const { function: described } = tool;
const call = (more: object = {}) =>
  JSON.stringify({ ...more, name: capital.name, parameters: { country: "Peru" } });

let model: Model;
beforeAll(async () => {
  model = await Model.load(MODEL);
});
afterAll(() => model.dispose());

type Asked = RenderChatOptions & { readonly choice?: "auto" | "none"; readonly cutOff?: boolean };

/** What an answer beside a schema says that comes in these pieces. */
async function told(pieces: readonly string[], { choice = "auto", cutOff, ...options }: Asked) {
  const renderer = chatRenderer({ model, tools: TOOLS, ...options });
  const reader = await readerOf({
    ...{ renderer, messages: [QUESTION], firstCall: 0 },
    rules: {
      ...{ choice, constrainTools: true, parallelToolCalls: true },
      responseSchema: { type: "object" },
    },
  });
  const parts = [];
  for (const piece of pieces) parts.push(...(await reader.push(piece)));
  parts.push(...(await reader.finish(cutOff ? "max-tokens" : "end-of-turn")));
  const text = parts.map((part) => (part.type === "text" ? part.text : "")).join("");
  return { text, calls: foundIn(parts).calls, parts };
}

const inPieces = (text: string) => [[text], text.match(/.{1,3}/gs) ?? [], [...text]];

describe.each(["llama-3.1", "llama-3.2", "llama-4"] as const)("%s", (format) => {
  test.each([
    `"Use [${capital.name}(country='Peru')] now"`,
    '"<|python_tag|>print(1)"',
    '"<function=find_capital>{}</function>"',
    `[${call()}]`,
    `{"said": ${call()}}`,
    `{"name": "find_capital"}`,
    `{"name": "find_capital", "age": 3, "parameters": {}}`,
    `{"na me": "find_capital", "parameters": {}}`,
    `{"name": "find_capitals", "parameters": {}}`,
    '{"na',
    " ",
  ])("%s is an answer", async (answer) => {
    for (const pieces of inPieces(answer)) {
      const { text, calls } = await told(pieces, { format, builtinTools: ["code_interpreter"] });
      expect({ text, calls }).toEqual({ text: answer, calls: [] });
    }
  });

  test.each([
    call(),
    call({ type: "function" }),
    `{\n  "name" : "find_capital",\n  "parameters": {"country": "Peru"}\n}`,
  ])("%s is a call", async (written) => {
    for (const pieces of inPieces(written)) {
      const { text, calls } = await told(pieces, { format });
      expect({ text, calls }).toEqual({ text: "", calls: [[capital.name, { country: "Peru" }]] });
    }
    const { text, calls } = await told([written], { format, choice: "none" });
    expect({ text, calls }).toEqual({ text: written, calls: [] });
  });

  test("a call that was cut off is not searched for others", async () => {
    const begun = `{"name": "find_capital", "parameters": {"country": "<function=count_people>{}</function> `;
    for (const pieces of inPieces(begun)) {
      const { text, calls } = await told(pieces, { format, cutOff: true });
      expect({ text, calls }).toEqual({ text: begun, calls: [] });
    }
  });
});

test("a session runs nothing that an answer quotes", async () => {
  let runs = 0;
  const finder = defineTool({ ...described, execute: () => ++runs });
  const answer = JSON.stringify(`Use ${call()} or [find_capital(country='Peru')] now`);
  const { context } = scriptedContext([answer, "Done."]);
  const session = new ChatSession(context, { tools: [finder], responseSchema: { type: "string" } });
  const { message } = await session.send("Answer.").result();
  expect([message.content, runs]).toEqual([answer, 0]);
});

describe.each(TEMPLATES)("%s", (name) => {
  test("what an answer quotes is data, and a call is a call", async () => {
    const asked = { format: "template", chatTemplate: template(name) } as const;
    const { text: written, format } = await scripted(model, name, "call");
    const lead = thoughtsOf(written, format);
    for (const answer of [
      JSON.stringify(`Use ${written} now`),
      JSON.stringify([written, [`\\"${written}`]]),
      JSON.stringify({ [written]: written }),
      '{"name": "find_capital", "age": 3}',
    ]) {
      const { text, calls } = await told([lead, ...(answer.match(/.{1,9}/gs) ?? [])], asked);
      expect({ text, calls }).toEqual({ text: withoutEnds(answer, name), calls: [] });
    }
    for (const kind of ["call", "said"] as const) {
      const one = await scripted(model, name, kind);
      const [whole, ...cut] = inPieces(one.text).slice(0, 2);
      const expected = await readPieces(model, one.format, whole ?? []);
      for (const pieces of [whole ?? [], ...cut]) {
        expect(foundIn((await told(pieces, asked)).parts)).toEqual(foundIn(expected));
      }
    }
  });
});

/** Where the prompt has begun thoughts, those that an answer begins with. */
function thoughtsOf(text: string, { reasoningEnds }: TemplateFormat): string {
  const end = reasoningEnds.find((mark) => text.includes(mark));
  if (!text.includes(THOUGHT) || end === undefined) return "";
  return text.slice(0, text.indexOf(end) + end.length);
}

/** Kimi's answers end with a mark, which its parser leaves out where it first stands. */
function withoutEnds(answer: string, name: string): string {
  return name === "Kimi-K3" ? answer.replace("<|close|>response<|sep|>", "") : answer;
}
