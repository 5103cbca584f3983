import { CriaError } from "../internal/errors.js";
import { inTurns, type Steps } from "../internal/steps.js";
import type { ToolChoice, ToolDefinition } from "../messages/tool-types.js";
import { type Grammar, grammarOf, grammarSteps, lazyGrammar } from "../sampling/grammar.js";
import type { CompileOptions } from "../schema/compile-schema.js";
import {
  choice as choose,
  EMPTY,
  type Expression,
  GrammarRules,
  Rule,
  sequence,
  text,
  use,
} from "../schema/grammar-rules.js";
import { layoutOf } from "../schema/json-layout.js";
import { compiledSchema, compiledSteps, heldSchema } from "../schema/schema-grammar.js";
import { copyOfSchema } from "./define-tool.js";

/** What an answer may look like. */
export interface AnswerRules {
  readonly tools: readonly ToolDefinition[];
  /** Which of these tools may or must be called. */
  readonly choice: ToolChoice;
  /** Whether a call that the model begins by itself follows its tool's schema. */
  readonly constrainTools: boolean;
  /** Whether one answer may have several calls. */
  readonly parallelToolCalls: boolean;
  /** The schema of an answer that is not a call. */
  readonly responseSchema: object | undefined;
}

/** The white space that the grammars of JSON allow. */
const SPACE = "(?: ?|\\n{1,2}[ \\t]{0,20})";
const TYPE = `(?:"type" ?: ?"function",${SPACE})?`;

/**
 * How models of the Llama 3 family begin a call, at the start of the answer, up to the end of its name: only
 * a given tool's name makes a call of what may be data.
 */
function openingOf(tools: readonly ToolDefinition[]): string {
  const names = tools.map(({ function: { name } }) => literal(JSON.stringify(name)));
  const marks = "<\\|python_(?:tag|start)\\|>(?:<\\|python_end\\|>)?";
  const before = `^[ \\n\\t]*(?:${marks}[ \\n\\t]*)?`;
  return `${before}(\\{${SPACE}${TYPE}"name" ?: ?(?:${names.join("|")}))`;
}

/** A regular expression that matches this text alone. */
function literal(text: string): string {
  return text.replace(/[$()*+./?[\\\]^{|}-]/g, "\\$&");
}

/** Grammars by tools, then by the other rules: every turn of a chat and every line of a batch asks. */
const grammars = new WeakMap<
  readonly ToolDefinition[],
  Map<string, Promise<Grammar | undefined>>
>();
const MOST_RULES = 16;

/**
 * The grammar of an answer; undefined if anything is allowed. A call that must come is part of it from the
 * start; one that may come wakes it by its opening, a tool's name included. It is made once for an array of tools, in several
 * turns of the event loop.
 */
export function answerGrammar({ tools, ...rules }: AnswerRules): Promise<Grammar | undefined> {
  const known = grammars.get(tools) ?? new Map<string, Promise<Grammar | undefined>>();
  grammars.set(tools, known);
  const key = JSON.stringify(rules);
  const before = known.get(key);
  if (before !== undefined) return before;
  const grammar = inTurns(answerSteps({ tools, ...rules }));
  if (known.size < MOST_RULES) {
    known.set(key, grammar);
    grammar.catch(() => known.delete(key));
  }
  return grammar;
}

function* answerSteps(rules: AnswerRules): Steps<Grammar | undefined> {
  const { choice, constrainTools, parallelToolCalls, responseSchema } = rules;
  const tools = chosen(rules.tools, choice);
  const forced = choice === "required" || typeof choice === "object";
  const calls = (call: Expression) => callsSteps(call, parallelToolCalls);
  if (forced && tools.length > 0) return yield* fittingSteps(tools, calls);
  if (responseSchema !== undefined) {
    const answer = heldSchema(responseSchema, "responseSchema", ANSWERS).value;
    if (tools.length === 0) return yield* grammarSteps(answer, "responseSchema");
    const either = (call: Expression) => grammarSteps(choose(answer, call), "responseSchema");
    return yield* fittingSteps(tools, either);
  }
  if (tools.length === 0 || !constrainTools) return undefined;
  const grammar = yield* fittingSteps(tools, calls);
  return lazyGrammar(grammar, { tokens: [], patterns: [openingOf(tools)] });
}

function chosen(tools: readonly ToolDefinition[], choice: ToolChoice): readonly ToolDefinition[] {
  if (choice === "none") return [];
  if (typeof choice === "string") return tools;
  return tools.filter((tool) => tool.function.name === choice.function.name);
}

/** How much of a grammar, in characters, the schemas have that are held where not all can be. */
const HELD_TOGETHER = 1 << 19;

/**
 * A grammar with a call of any of the tools. Schemas that each have a grammar may be too much together: then those
 * with the larger ones stand for any object, and if that is not enough, all do.
 */
function* fittingSteps(
  tools: readonly ToolDefinition[],
  make: (call: Expression) => Steps<Grammar>,
): Steps<Grammar> {
  const all = yield* ifSupported(make(yield* callSteps(tools)));
  if (all !== undefined) return all;
  const some = yield* ifSupported(make(yield* callSteps(tools, yield* smallestSteps(tools))));
  return some ?? (yield* make(yield* callSteps(tools, new Set())));
}

function* smallestSteps(tools: readonly ToolDefinition[]): Steps<ReadonlySet<ToolDefinition>> {
  const sizes = new Map<ToolDefinition, number>();
  for (const tool of tools) {
    const alone = yield* ifSupported(grammarSteps(yield* callSteps([tool]), "tools"));
    if (alone !== undefined) sizes.set(tool, alone.source.length);
  }
  const held = new Set<ToolDefinition>();
  let total = 0;
  for (const [tool, size] of [...sizes].sort(([, a], [, b]) => a - b)) {
    total += size;
    if (total <= HELD_TOGETHER) held.add(tool);
  }
  return held;
}

/** undefined where no grammar is made of it. */
function* ifSupported<T>(steps: Steps<T>): Steps<T | undefined> {
  try {
    return yield* steps;
  } catch (error) {
    if (!CriaError.is(error) || error.code !== "ERR_SCHEMA_UNSUPPORTED") throw error;
    return undefined;
  }
}

/** One call, or several with semicolons between, as the renderers write them. */
function* callsSteps(one: Expression, parallel: boolean): Steps<Grammar> {
  const call = new Rule("call", one);
  if (!parallel) return yield* grammarSteps(use(call), "tools");
  const calls = new Rule("calls");
  const between = choose(sequence(text(";"), choose(text(" "), EMPTY)), text("\n"));
  calls.definition = sequence(use(call), choose(sequence(between, use(calls)), EMPTY));
  return yield* grammarSteps(use(calls), "tools");
}

const compiledCalls = new WeakMap<ToolDefinition, Expression>();

/**
 * A call of any of the tools. Each schema is compiled once, one after the other; those of tools that are not `held`
 * stand for any object.
 */
function* callSteps(
  tools: readonly ToolDefinition[],
  held: ReadonlySet<ToolDefinition> = new Set(tools),
): Steps<Expression> {
  const ways: Expression[] = [];
  for (const tool of tools) {
    if (!held.has(tool)) {
      ways.push(yield* callTo(tool, ANY_ARGUMENTS));
      continue;
    }
    let call = compiledCalls.get(tool);
    if (call === undefined) {
      call = yield* callTo(tool);
      compiledCalls.set(tool, call);
    }
    ways.push(call);
  }
  return choose(...ways);
}

/** A call with or without the `type` that some models put first. */
function* callTo(
  { function: { name, parameters } }: ToolDefinition,
  schema: object = parameters ?? ANY_ARGUMENTS,
): Steps<Expression> {
  const { colon, comma, inside } = layoutOf(ARGUMENTS.whiteSpace, new GrammarRules());
  const type = sequence(text('"type"'), colon, text('"function"'), comma);
  return sequence(
    text("{"),
    inside,
    choose(type, EMPTY),
    text('"name"'),
    colon,
    text(JSON.stringify(name)),
    comma,
    text('"parameters"'),
    colon,
    yield* argumentsOf(schema),
    inside,
    text("}"),
  );
}

const ANY_ARGUMENTS = { type: "object" };
/** Arguments are those that a tool names. Any layout is allowed, since the openings above allow it. */
const ARGUMENTS: CompileOptions = { whiteSpace: "lines", closed: true };

/** What no grammar can hold is checked before the call is carried out. */
function* argumentsOf(schema: object): Steps<Expression> {
  const compiled = yield* ifSupported(compiledSteps(schema, "parameters", ARGUMENTS));
  return (compiled ?? compiledSchema(ANY_ARGUMENTS, "parameters", ARGUMENTS)).value;
}

/** An answer has the properties that its schema names; models put a space behind commas and colons. */
const ANSWERS: CompileOptions = { whiteSpace: "spaces", closed: true };

/**
 * A copy of a schema that an answer follows to the letter. Nobody checks the answer afterwards, so what its
 * grammar would not hold is refused, with its place.
 *
 * @throws {CriaError} ERR_INVALID_ARGUMENT, ERR_SCHEMA_UNSUPPORTED
 */
export function responseSchemaOf(schema: unknown, name: string): object {
  const copy = copyOfSchema(schema, name);
  grammarOf(heldSchema(copy, name, ANSWERS).value, name);
  return copy;
}
