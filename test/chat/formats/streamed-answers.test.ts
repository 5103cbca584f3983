import { type AnswerPart, appendPart } from "../../../lib/chat/answer-part.js";
import { TemplateAnswer } from "../../../lib/chat/formats/template-answer.js";
import { Model } from "../../../lib/index.js";
import {
  ANSWERS,
  type AnswerKind,
  foundIn,
  readPieces,
  type ScriptedAnswer,
  scripted,
} from "../../support/scripted-answers.js";
import { TEMPLATES } from "../../support/templates.js";
import { vocabularyFile } from "../../support/vocabularies.js";

const KINDS = Object.keys(ANSWERS) as AnswerKind[];

/** What llama.cpp's parsers do not take: it stays text. */
const REFUSED: Readonly<Record<string, readonly AnswerKind[]>> = {
  "CohereForAI-c4ai-command-r-plus-tool_use": ["said"],
  "meetkai-functionary-medium-v3.2": ["said", "calls"],
};

/** Their messages have one call each: nothing shows how several would look in one answer. */
const ONE_BY_ONE = [
  ...["GigaChat3-10B-A1.8B", "GigaChat3.1-10B-A1.8B", "openai-gpt-oss-120b"],
  ...["meta-llama-Llama-3.1-8B-Instruct", "meta-llama-Llama-3.3-70B-Instruct"],
  "meta-llama-Llama-3.2-3B-Instruct",
];
const LONGEST: readonly AnswerKind[] = ["thought", "calls"];

/** The template writes what is said beside a call as thoughts. */
const SAID_AS_THOUGHTS = ["openai-gpt-oss-120b"];

let model: Model;
beforeAll(async () => {
  model = await Model.load(vocabularyFile("llama-bpe"), { vocabOnly: true });
});
afterAll(() => model.dispose());

function joined(parts: readonly AnswerPart[]): AnswerPart[] {
  const all: AnswerPart[] = [];
  for (const part of parts) appendPart(all, part);
  return all;
}

describe.each(TEMPLATES)("%s", (name) => {
  const kinds = KINDS.filter((kind) => kind !== "calls" || !ONE_BY_ONE.includes(name));
  test.each(kinds)("%s", async (kind) => {
    let answer: ScriptedAnswer;
    try {
      answer = await scripted(model, name, kind);
    } catch (error) {
      expect(error).toMatchObject({ code: "ERR_TEMPLATE" });
      return;
    }
    const { text, format, says } = answer;
    const whole = await readPieces(model, format, [text]);
    const { content, reasoning, calls } = foundIn(whole);
    if (REFUSED[name]?.includes(kind)) {
      expect(calls.length).toBeLessThan(says.calls.length);
      expect(content).toMatch(/find_capital|count_people/);
    } else if (kind === "said" && SAID_AS_THOUGHTS.includes(name)) {
      expect({ content: reasoning, reasoning: content, calls }).toEqual(says);
    } else {
      expect({ text, content, reasoning, calls }).toEqual({ text, ...says });
    }
    // In every place within the longest answers, and in some within the others.
    const pieces = LONGEST.includes(kind) ? [...text] : text.match(/.{1,7}/gsu);
    const cut = await readPieces(model, format, pieces ?? []);
    expect(joined(cut)).toEqual(joined(whole));
  });
});

test.each([
  // No reading of the parser's takes them, but one goes on to their end as text.
  "Peru, hm.</think><tool_call>find_capital\n<arg_key></arg_key>\n<arg_value>Peru\n\n",
  "</think><tool_call>find_capital\n<arg_key>country</arg_key>\n<arg_value>Peru</arg_value>hm",
])("a call that is refused once it was told is told as a whole: %j", async (text) => {
  const { format } = await scripted(model, "inclusionai-ling-3.0-flash", "call");
  const source = text.slice(text.indexOf("<tool_call>"));
  const whole = await readPieces(model, format, [text]);
  expect(whole.at(-1)).toMatchObject({ type: "tool-call", call: { source } });
  expect(joined(await readPieces(model, format, [...text]))).toEqual(joined(whole));
});

test("thoughts that come in many pieces are one range", async () => {
  const { format } = await scripted(model, "Qwen-Qwen3-0.6B", "thought");
  const answer = new TemplateAnswer({ format, model });
  for (const piece of "<think>One, two, three.</think>So 3.") await answer.push(piece);
  await answer.finish(false);
  expect(answer.reasoningRanges).toEqual([{ from: 7, to: 23 }]);
});
