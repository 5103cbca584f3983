import { isPlainObject } from "../../internal/checks.js";
import { isTooNested } from "../../internal/json-text.js";
import type { NativeAnswerEvent, NativeModel, NativeOpenAnswer } from "../../internal/native.js";
import { nativeWork } from "../../internal/native-work.js";
import type { ParsedToolCall } from "../../messages/tool-types.js";
import { insideOf, type LoadedModel } from "../../model/loaded-model.js";
import type { AnswerPart } from "../answer-part.js";
import type { TemplateFormat } from "./template-format.js";

/** What an answer is read with. */
export interface AnswerSource {
  readonly format: Pick<
    TemplateFormat,
    "format" | "parser" | "generationPrompt" | "preservedTokens"
  >;
  readonly model: LoadedModel;
  /** Names of the tools that were given; undefined: any name is known. */
  readonly names?: ReadonlySet<string> | undefined;
  /** The number in the id of the first call: behind those of all calls before it. */
  readonly firstCall?: number;
}

/** Where thoughts lie in an answer, in bytes of UTF-8. */
export interface ReasoningRange {
  readonly from: number;
  readonly to: number;
}

/**
 * An answer in the format of a model's template, read while it is written on a thread of the model's. The
 * same parts come of it however it is cut.
 */
export class TemplateAnswer {
  readonly #source: AnswerSource;
  readonly #answer: NativeOpenAnswer;
  readonly #ranges: ReasoningRange[] = [];
  /** The first half of a character that was cut. */
  #half = "";
  #calls: number;
  #call: { readonly id: string; readonly name: string; arguments: string } | undefined;

  constructor(source: AnswerSource) {
    this.#source = source;
    this.#calls = source.firstCall ?? 0;
    this.#answer = insideOf(source.model).native.openAnswer(source.format);
  }

  /** Where the thoughts lie that came so far. */
  get reasoningRanges(): readonly ReasoningRange[] {
    return this.#ranges;
  }

  /** @throws {CriaError} ERR_DISPOSED, ERR_TEMPLATE (it takes more time or memory than an answer may) */
  async push(text: string): Promise<AnswerPart[]> {
    const whole = this.#half + text;
    const last = whole.charCodeAt(whole.length - 1);
    const cut = last >= 0xd800 && last <= 0xdbff ? whole.length - 1 : whole.length;
    this.#half = whole.slice(cut);
    if (cut === 0) return [];
    return this.#work((native, id) => native.startAnswer(id, this.#answer, whole.slice(0, cut)));
  }

  /** @throws as `push` */
  async finish(cutOff: boolean): Promise<AnswerPart[]> {
    const half = this.#half;
    this.#half = "";
    const parts =
      half === ""
        ? []
        : await this.#work((native, id) => native.startAnswer(id, this.#answer, half));
    return [
      ...parts,
      ...(await this.#work((native, id) => native.endAnswer(id, this.#answer, cutOff))),
    ];
  }

  async #work(
    start: (native: NativeModel, id: number) => Promise<NativeAnswerEvent[]>,
  ): Promise<AnswerPart[]> {
    const { native } = insideOf(this.#source.model);
    const events = await nativeWork(native, (id) => start(native, id), undefined);
    return events.flatMap((event) => this.#partsOf(event));
  }

  #partsOf(event: NativeAnswerEvent): AnswerPart[] {
    switch (event.type) {
      case "text":
        return [event];
      case "reasoning":
        this.#thought(event);
        return [{ type: "reasoning", text: event.text }];
      case "call":
        this.#call = { id: `call_${this.#calls}`, name: event.text, arguments: "" };
        this.#calls += 1;
        return [this.#delta("")];
      case "arguments":
        if (this.#call !== undefined) this.#call.arguments += event.text;
        return [this.#delta(event.text)];
      default:
        return [{ type: "tool-call", call: this.#ended(event) }];
    }
  }

  /** One range for all thoughts that follow each other: they come in as many pieces as they have tokens. */
  #thought({ from, to }: ReasoningRange): void {
    const last = this.#ranges.at(-1);
    if (last === undefined || last.to < from) this.#ranges.push({ from, to });
    else this.#ranges[this.#ranges.length - 1] = { from: last.from, to };
  }

  #delta(argumentsDelta: string): AnswerPart {
    const { id = "", name = "" } = this.#call ?? {};
    return { type: "tool-call-delta", callId: id, name, argumentsDelta };
  }

  #ended(event: Extract<NativeAnswerEvent, { type: "call-end" }>): ParsedToolCall {
    const { id = "", name = "", arguments: text = "" } = this.#call ?? {};
    this.#call = undefined;
    const known = this.#source.names?.has(name) ?? true;
    const base = { id, type: "function", format: "template", known } as const;
    if (event.broken) {
      return {
        ...base,
        function: { name, arguments: "{}" },
        problem: INCOMPLETE,
        source: event.text,
      };
    }
    const problem = argumentsProblem(text);
    if (problem === undefined) return { ...base, function: { name, arguments: text } };
    return { ...base, function: { name, arguments: "{}" }, problem, source: text };
  }
}

const INCOMPLETE =
  "The call is not complete, or not in the format that the tools were described in.";

function argumentsProblem(text: string): string | undefined {
  try {
    if (!isPlainObject(JSON.parse(text))) return "The arguments are not a JSON object";
    // The next prompt, which has the call in it, could not be rendered.
    return isTooNested(text)
      ? "The arguments are nested too deeply, or have too many members"
      : undefined;
  } catch {
    return "The arguments are not JSON";
  }
}
