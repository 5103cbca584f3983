import { Grammar, lazyGrammar } from "../grammar.js";
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

/** A call as the models of the Llama 3 family begin it, at the start of the answer or of a message. */
const OPENING =
  '^[ \\n\\t]*(?:<\\|python_tag\\|>)?[ \\n\\t]*(\\{[ \\n]*"(?:name|type)"[ \\n]*:)[^\\n]*$';

/**
 * The grammar of an answer, or undefined where it is free. A call that must come is in it from the
 * start; one that may come wakes it by its own opening.
 */
export function answerGrammar(rules: AnswerRules): Grammar | undefined {
  const { choice, constrainTools, responseSchema } = rules;
  const tools = chosen(rules.tools, choice);
  const forced = choice === "required" || typeof choice === "object";
  if (forced && tools.length > 0) return callsGrammar(tools);
  if (responseSchema !== undefined) {
    const schemas = [responseSchema, ...tools.flatMap(callSchemas)];
    return Grammar.jsonSchema(tools.length === 0 ? responseSchema : alternatives(schemas));
  }
  if (tools.length === 0 || !constrainTools) return undefined;
  return lazyGrammar(callsGrammar(tools), { tokens: [], patterns: [OPENING] });
}

function chosen(tools: readonly ToolDefinition[], choice: ToolChoice): readonly ToolDefinition[] {
  if (choice === "none") return [];
  if (typeof choice === "string") return tools;
  return tools.filter((tool) => tool.function.name === choice.function.name);
}

/** One call, or several with a semicolon between, as the renderers write them. */
function callsGrammar(tools: readonly ToolDefinition[]): Grammar {
  const { source, root } = Grammar.jsonSchema(alternatives(tools.flatMap(callSchemas)));
  const calls = `cria-calls ::= ${root} ((";" " "? | "\\n") ${root})*`;
  return Grammar.gbnf(`${calls}\n${source}`, { root: "cria-calls" });
}

/** With and without the `type` that some models put in front. */
function callSchemas({ function: { name, parameters } }: ToolDefinition): object[] {
  const call = { name: { const: name }, parameters: parameters ?? { type: "object" } };
  const shape = { type: "object", additionalProperties: false };
  return [
    { ...shape, properties: call, required: ["name", "parameters"] },
    {
      ...shape,
      properties: { type: { const: "function" }, ...call },
      required: ["type", "name", "parameters"],
    },
  ];
}

/** References to a schema's own root are made to follow it to its new place. */
function alternatives(schemas: readonly object[]): object {
  return {
    anyOf: schemas.map((schema, index) => {
      const call = (schema as { properties?: { parameters?: object } }).properties?.parameters;
      if (call === undefined) return moved(schema, `#/anyOf/${index}`);
      const { parameters: _, ...rest } = (schema as { properties: Record<string, unknown> })
        .properties;
      const place = `#/anyOf/${index}/properties/parameters`;
      return { ...schema, properties: { ...rest, parameters: moved(call, place) } };
    }),
  };
}

function moved(schema: unknown, place: string): unknown {
  if (Array.isArray(schema)) return schema.map((part) => moved(part, place));
  if (typeof schema !== "object" || schema === null) return schema;
  return Object.fromEntries(
    Object.entries(schema).map(([key, value]) => {
      const own = key === "$ref" && typeof value === "string" && value.startsWith("#");
      return [key, own ? place + (value as string).slice(1) : moved(value, place)];
    }),
  );
}
