import { behind, Grammar, lazyGrammar } from "../../sampling/grammar.js";
import type { TemplateFormat } from "./template-format.js";

/** The grammar of a call: one that must come, or one that wakes at its opening. */
export function callGrammar(format: TemplateFormat): Grammar | undefined {
  if (format.grammar === "") return undefined;
  const grammar = grammarOf(format.grammar);
  if (!format.grammarLazy) return whole(grammar, format);
  const patterns = format.triggers.map(({ type, value }) => {
    if (type === "full-pattern") return `^(?:${value})$`;
    return type === "pattern" ? value : `(${value.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&")})`;
  });
  return lazyGrammar(grammar, { tokens: [], patterns });
}

/**
 * The grammar of an answer that follows a schema behind its thoughts, or calls a tool.
 *
 * @param answer what the schema says
 * @param format the format of such answers, whose grammar has a rule in place of the schema
 * @param calls the format of answers that must call, where tools were given
 */
export function schemaGrammar(
  answer: Grammar,
  format: TemplateFormat,
  calls: TemplateFormat | undefined,
): Grammar {
  const framed = format.grammar === "" ? frameOf(format) : unfenced(format.grammar);
  const rules = withPrefix(framed, "frame-").split("\n");
  const place = ["frame-response-format-schema", "frame-response-format"].find((name) =>
    rules.some((rule) => rule.startsWith(`${name} ::=`)),
  );
  const source = [
    `root ::= frame-root${calls === undefined ? "" : " | calls-root"}`,
    ...rules.filter((rule) => !rule.startsWith(`${place} ::=`)),
    `${place} ::= answer-${answer.root}`,
    withPrefix(answer.source, "answer-"),
    ...(calls === undefined ? [] : [withPrefix(calls.grammar, "calls-")]),
  ];
  return whole(grammarOf(source.join("\n")), format);
}

/** By their sources, the last used last: every turn of a session asks for the same one. */
const known = new Map<string, Grammar>();
const MOST_KNOWN = 16;

/** A large grammar takes many milliseconds to read and to check. */
function grammarOf(source: string): Grammar {
  const grammar = known.get(source) ?? Grammar.gbnf(source);
  known.delete(source);
  known.set(source, grammar);
  const [oldest] = known.keys();
  if (known.size > MOST_KNOWN && oldest !== undefined) known.delete(oldest);
  return grammar;
}

/** llama.cpp's grammars begin with the end of the prompt. */
function whole(grammar: Grammar, { generationPrompt }: TemplateFormat): Grammar {
  return generationPrompt === "" ? grammar : behind(generationPrompt, grammar);
}

/** Without the fences and the type that a format allows around JSON: the answer is the JSON alone. */
function unfenced(grammar: string): string {
  return grammar
    .replace(/"```json" space (\S+) space "```"/g, "$1")
    .replace('(space "<|constrain|>"? [A-Za-z0-9_-]+)?', "");
}

/** The frames of formats for whose answers llama.cpp has no grammar. */
function frameOf({ generationPrompt, preservedTokens }: TemplateFormat): string {
  const start = JSON.stringify(generationPrompt);
  const text = '([^<] | "<" [^|])*';
  let frame = `${start} response-format`;
  if (preservedTokens.includes("<|open|>")) {
    const thoughts = generationPrompt.endsWith("<|open|>think<|sep|>");
    frame =
      (thoughts ? `${start} ${text} "<|close|>think<|sep|>" "<|open|>response<|sep|>"` : start) +
      ' response-format "<|close|>response<|sep|>"? "<|close|>message<|sep|>"?';
  } else if (preservedTokens.includes("<|eom|>")) {
    const thoughts = `(" to=self<|message|>" ${text} "<|eom|><|start|>assistant")*`;
    frame = `${start} ${thoughts} " to=user"? "<|message|>" response-format`;
  }
  return `root ::= ${frame}\nresponse-format ::= "{}"`;
}

/** A grammar whose rules have other names: texts, sets of characters and tokens stay. */
export function withPrefix(source: string, prefix: string): string {
  const parts =
    /"(?:[^"\\]|\\.)*"|\[(?:[^\]\\]|\\.)*\]|<[^\s>]*>|\{[^}]*\}|#[^\n]*|[A-Za-z][\w-]*/g;
  return source.replace(parts, (part) => (/^[A-Za-z]/.test(part) ? prefix + part : part));
}
