import { readFileSync } from "node:fs";
import { join } from "node:path";
import type {
  ParsedToolCall,
  ParsedToolCalls,
  ParseToolCallsOptions,
  ToolDefinition,
  ToolParserEvent,
} from "../../lib/messages/tool-types.js";
import { FIXTURES } from "../support/paths.js";

export interface SampleCall {
  readonly format: ParsedToolCall["format"];
  readonly name: string;
  readonly arguments: string;
  /** Default true. */
  readonly known?: boolean;
  /** A part of it. */
  readonly problem?: string;
  readonly source?: string;
}

export interface SampleOptions extends ParseToolCallsOptions {
  readonly tools?: readonly ToolDefinition[];
}

export interface Sample {
  readonly name: string;
  readonly input: string;
  /** Names one of the tool sets. */
  readonly tools?: string;
  readonly options?: Omit<ParseToolCallsOptions, "tools">;
  readonly content: string;
  readonly calls: readonly SampleCall[];
}

interface Fixture {
  readonly toolSets: Readonly<Record<string, readonly ToolDefinition[]>>;
  readonly samples: readonly Sample[];
}

const fixture = JSON.parse(readFileSync(join(FIXTURES, "tool-calls.json"), "utf8")) as Fixture;

export const { samples, toolSets } = fixture;

export function optionsOf({ tools, options }: Sample): SampleOptions {
  return { ...options, ...(tools === undefined ? {} : { tools: toolSets[tools]! }) };
}

export function gather(events: readonly ToolParserEvent[]): ParsedToolCalls {
  const content: string[] = [];
  const toolCalls: ParsedToolCall[] = [];
  for (const event of events) {
    if (event.type === "text") content.push(event.text);
    else toolCalls.push(event.call);
  }
  return { content: content.join(""), toolCalls };
}
