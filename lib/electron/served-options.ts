import type { ChatGuard } from "../chat/moderated/moderation.js";
import type { ChatTurnOptions } from "../chat/session-options.js";
import type { Context } from "../context/context.js";
import type { ContextOptions } from "../context/context-options.js";
import type { GenerateOptions } from "../generation/generation.js";
import type { GuardOptions } from "../guard/guard-types.js";
import { LlamaGuard } from "../guard/llama-guard.js";
import { boolean, isPlainObject, readOptions } from "../internal/checks.js";
import { CriaError, expected, invalid } from "../internal/errors.js";
import type { ToolDefinitionInput } from "../messages/tool-types.js";
import { Grammar } from "../sampling/grammar.js";
import { defineTool, type Tool, type ToolContext } from "../tools/define-tool.js";
import type { WireGuard, WireTool } from "./port-protocol.js";

/** What a client gave as options: plain data, of which the callers' own checks know the rest. */
export function plainOptions(value: unknown): Record<string, unknown> {
  if (value === undefined) return {};
  if (!isPlainObject(value)) throw expected("a plain object", "options", value);
  return { ...value };
}

/** Which options of a context name files. Complete, so that whoever adds an option says it here. */
const NAMES_FILES: Readonly<Record<keyof ContextOptions, boolean>> = {
  contextSize: false,
  sequences: false,
  kvCache: false,
  kvCacheSize: false,
  swaFull: false,
  checkpointMemory: false,
  speculation: false,
  batchSize: false,
  microBatchSize: false,
  threads: false,
  batchThreads: false,
  flashAttention: false,
  kvCacheType: false,
  embeddings: false,
  pooling: false,
  rope: false,
  controlVectors: true,
  signal: false,
};

/**
 * The options of a context, unless they name files: a page must not have this machine's files opened.
 *
 * @throws {CriaError} ERR_UNSUPPORTED
 */
export function contextOptions(value: unknown): ContextOptions {
  const options: ContextOptions = plainOptions(value);
  for (const name of Object.keys(NAMES_FILES) as (keyof ContextOptions)[]) {
    if (!NAMES_FILES[name] || options[name] === undefined) continue;
    throw new CriaError(
      "ERR_UNSUPPORTED",
      `\`options.${name}\` names files, which cannot come from a client: leave it out`,
      { details: { name: `options.${name}` } },
    );
  }
  return options;
}

/** The options of a generation or a turn, with the grammar made of its data. */
export function generateOptions(value: unknown): GenerateOptions {
  const { grammar, ...options } = plainOptions(value);
  if (options.sampler !== undefined) {
    throw invalid(
      "A Sampler cannot cross a port: give its settings one by one, as `temperature` and `topK`",
      { name: "options.sampler" },
    );
  }
  return grammar === undefined ? options : { ...options, grammar: readGrammar(grammar) };
}

function readGrammar(value: unknown): Grammar {
  const { gbnf, schema, ...options } = readOptions(
    value as Record<string, unknown>,
    "options.grammar",
    ["gbnf", "root", "schema", "whiteSpace", "additionalProperties"],
  );
  if (gbnf !== undefined && schema === undefined) return Grammar.gbnf(gbnf as string, options);
  if (schema !== undefined && gbnf === undefined) {
    return Grammar.jsonSchema(schema as object, options);
  }
  throw expected("an object with one of `gbnf` and `schema`", "options.grammar", value);
}

/** Has a client carry out a call. */
export type Execute = (name: string, args: unknown, context: ToolContext) => Promise<unknown>;

/** What the options of a turn or a session need to become local ones. */
export interface TurnSurroundings {
  /** A context of this client's. @throws {CriaError} ERR_DISPOSED */
  readonly context: (id: number) => Context;
  readonly execute: Execute;
}

/** The options of a turn or a session, with guards and tools made of their data. */
export function turnOptions(value: unknown, around: TurnSurroundings): ChatTurnOptions {
  const { guard, tools, ...options } = generateOptions(value) as Record<string, unknown>;
  return {
    ...options,
    ...(guard !== undefined && { guard: readGuards(guard, around) }),
    ...(tools !== undefined && { tools: readTools(tools, around) }),
  };
}

const GUARDS = ["input", "output", "toolResults"] as const;

function readGuards(value: unknown, around: TurnSurroundings): ChatGuard {
  // Also one that is `undefined`: elsewhere that is "not given", here a guard that went missing.
  for (const [name, one] of Object.entries(isPlainObject(value) ? value : {})) {
    if (one === undefined) throw expected("a guard", `options.guard.${name}`, one);
  }
  const given = readOptions(value as Record<string, unknown>, "options.guard", GUARDS);
  const guards = Object.entries(given).map(([name, one]) => {
    const known = ["context", "options"] as const;
    const { context, options } = readOptions(one as WireGuard, `options.guard.${name}`, known);
    return [name, new LlamaGuard(around.context(context ?? -1), options as GuardOptions)];
  });
  return Object.fromEntries(guards);
}

function readTools(value: unknown, { execute }: TurnSurroundings): (Tool | ToolDefinitionInput)[] {
  if (!Array.isArray(value)) throw expected("an array of tools", "options.tools", value);
  return value.map((one: unknown, index) => {
    if (!isPlainObject(one) || !("executes" in one)) return one as ToolDefinitionInput;
    const at = `options.tools[${index}]`;
    const known = ["name", "description", "parameters", "executes"] as const;
    const { executes, ...tool } = readOptions(one as unknown as WireTool, at, known);
    const { name = "" } = tool;
    return defineTool({
      ...tool,
      name,
      ...(boolean(executes, `${at}.executes`) && {
        execute: (args: unknown, context: ToolContext) => execute(name, args, context),
      }),
    });
  });
}
