import { CriaError } from "../errors.js";
import { Grammar, lazyGrammar } from "../grammar.js";
import { inTurns, type Steps } from "../internal/turns.js";
import type { ToolChoice, ToolDefinition } from "./types.js";

/** What an answer may look like. */
export interface AnswerRules {
  readonly tools: readonly ToolDefinition[];
  /** Of these tools. */
  readonly choice: ToolChoice;
  /** Whether a call that the model begins by itself follows its tool's schema. */
  readonly constrainTools: boolean;
  /** The schema of an answer that is no call. */
  readonly responseSchema: object | undefined;
}

/** White space as the grammars of JSON have it; they would refuse any other. */
const SPACES = [" ?", "\\n{1,2}[ \\t]{0,20}"];
const TAG = "<\\x7cpython_tag\\x7c>";
/**
 * A call as the models of the Llama 3 family begin it, at the start of the answer. A pattern for each
 * way, since with a "|" in it one would be looked for everywhere.
 */
const OPENINGS = SPACES.flatMap((space) =>
  [`"name" ?:`, `"type" ?: ?"function"`].map(
    (key) => `^[ \\n\\t]*(?:${TAG}[ \\n\\t]*)?(\\{${space}${key})`,
  ),
);

/** By the tools, then by the other rules: every turn of a chat and every line of a batch asks. */
const grammars = new WeakMap<
  readonly ToolDefinition[],
  Map<string, Promise<Grammar | undefined>>
>();
const MOST_RULES = 16;

/**
 * The grammar of an answer, or undefined where it is free. A call that must come is in it from the
 * start; one that may come wakes it by its own opening. Made once for one array of tools, in several
 * turns of the event loop.
 */
export function answerGrammar({ tools, ...rules }: AnswerRules): Promise<Grammar | undefined> {
  const known = grammars.get(tools) ?? new Map<string, Promise<Grammar | undefined>>();
  grammars.set(tools, known);
  const key = JSON.stringify(rules);
  const before = known.get(key);
  if (before !== undefined) return before;
  const grammar = inTurns(grammarSteps({ tools, ...rules }));
  if (known.size < MOST_RULES) {
    known.set(key, grammar);
    grammar.catch(() => known.delete(key));
  }
  return grammar;
}

function* grammarSteps(rules: AnswerRules): Steps<Grammar | undefined> {
  const { choice, constrainTools, responseSchema } = rules;
  const tools = chosen(rules.tools, choice);
  const forced = choice === "required" || typeof choice === "object";
  const called = tools.length > 0 && (forced || constrainTools || responseSchema !== undefined);
  if (called) yield* expressibleSteps(tools);
  if (forced && tools.length > 0) return yield* callsSteps(tools);
  if (responseSchema !== undefined) {
    if (tools.length === 0) return Grammar.jsonSchema(responseSchema);
    return Grammar.jsonSchema(
      alternatives([(place) => moved(responseSchema, place), ...tools.flatMap(callSchemas)]),
    );
  }
  if (!called) return undefined;
  return lazyGrammar(yield* callsSteps(tools), { tokens: [], patterns: OPENINGS });
}

/** Looks at one tool's schema at a time, which is remembered. */
function* expressibleSteps(tools: readonly ToolDefinition[]): Steps<void> {
  for (const { function: called } of tools) {
    if (called.parameters !== undefined) isExpressible(called.parameters);
    yield;
  }
}

function chosen(tools: readonly ToolDefinition[], choice: ToolChoice): readonly ToolDefinition[] {
  if (choice === "none") return [];
  if (typeof choice === "string") return tools;
  return tools.filter((tool) => tool.function.name === choice.function.name);
}

/** One call, or several with a semicolon between, as the renderers write them. */
function* callsSteps(tools: readonly ToolDefinition[]): Steps<Grammar> {
  const { source, root } = Grammar.jsonSchema(alternatives(tools.flatMap(callSchemas)));
  yield;
  const calls = `cria-calls ::= ${root} ((";" " "? | "\\n") ${root})*`;
  return Grammar.gbnf(`${calls}\n${source}`, { root: "cria-calls" });
}

/** A schema that will stand at a place in another one. */
type Placed = (place: string) => unknown;

function alternatives(schemas: readonly Placed[]): object {
  return { anyOf: schemas.map((schema, index) => schema(`#/anyOf/${index}`)) };
}

/** With and without the `type` that some models put in front. */
function callSchemas({ function: { name, parameters } }: ToolDefinition): Placed[] {
  const schema = parameters !== undefined && isExpressible(parameters) ? parameters : ANY_ARGUMENTS;
  const call = (place: string) => ({
    name: { const: name },
    parameters: moved(schema, `${place}/properties/parameters`),
  });
  const shape = { type: "object", additionalProperties: false };
  return [
    (place) => ({ ...shape, properties: call(place), required: ["name", "parameters"] }),
    (place) => ({
      ...shape,
      properties: { type: { const: "function" }, ...call(place) },
      required: ["type", "name", "parameters"],
    }),
  ];
}

const ANY_ARGUMENTS = { type: "object" };
const expressible = new WeakMap<object, boolean>();

/** What no grammar can be made of is left to the check before the call is carried out. */
function isExpressible(schema: object): boolean {
  let known = expressible.get(schema);
  if (known === undefined) {
    known = hasGrammar(schema);
    expressible.set(schema, known);
  }
  return known;
}

function hasGrammar(schema: object): boolean {
  try {
    Grammar.jsonSchema(schema);
    return true;
  } catch (error) {
    if (CriaError.is(error) && error.code === "ERR_SCHEMA_UNSUPPORTED") return false;
    throw error;
  }
}

/** Their values hold no schemas, whatever they look like. */
const DATA = new Set(["const", "enum", "default", "examples", "required"]);
/** Their values are schemas by names, which may look like keywords. */
const NAMED = new Set(["properties", "patternProperties", "$defs", "definitions"]);

/** References to a schema's own root are made to follow it to its new place. */
function moved(schema: unknown, place: string, named = false): unknown {
  if (Array.isArray(schema)) return schema.map((part) => moved(part, place));
  if (typeof schema !== "object" || schema === null) return schema;
  return Object.fromEntries(
    Object.entries(schema).map(([key, value]) => {
      if (named) return [key, moved(value, place)];
      if (DATA.has(key)) return [key, value];
      if (key === "$ref" && typeof value === "string" && value.startsWith("#")) {
        return [key, place + value.slice(1)];
      }
      return [key, moved(value, place, NAMED.has(key))];
    }),
  );
}
