import type { AnswerPart } from "../answer-part.js";
import { JsonOutline } from "./json-outline.js";
import type { ReasoningRange, TemplateAnswer } from "./template-answer.js";

type Reading = Pick<TemplateAnswer, "push" | "finish" | "reasoningRanges">;

/**
 * Reads what the grammar of a call or an answer lets through, in the format of a model's template. The template's
 * parser finds calls anywhere, also in a text of the answer that spells one: so the answer is read a second time, as if
 * there were no tools, and what stands inside of JSON is no call.
 */
export class TemplateCallOrAnswer {
  readonly #calls: Reading;
  readonly #plain: Reading;
  /** The one that is right, once that is certain. */
  #right: Reading | undefined;
  /** What the one takes for a call, and all behind it. */
  #held: AnswerPart[] = [];
  /** What the one says in front of it, and the other all along: as far as the two have not met yet. */
  #before = "";
  #said = "";
  /** Of what was passed on. */
  readonly #json = new JsonOutline();

  /**
   * @param calls reads an answer that may call
   * @param plain reads the same as an answer of a model without tools
   */
  constructor(calls: Reading, plain: Reading) {
    this.#calls = calls;
    this.#plain = plain;
  }

  get reasoningRanges(): readonly ReasoningRange[] {
    return (this.#right ?? this.#calls).reasoningRanges;
  }

  /** @throws {CriaError} as `TemplateAnswer` */
  async push(text: string): Promise<AnswerPart[]> {
    if (this.#right !== undefined) return this.#right.push(text);
    const read = await this.#calls.push(text);
    return this.#take(read, await this.#plain.push(text), false);
  }

  /** @throws as `push` */
  async finish(cutOff: boolean): Promise<AnswerPart[]> {
    if (this.#right !== undefined) return this.#right.finish(cutOff);
    const read = await this.#calls.finish(cutOff);
    return this.#take(read, await this.#plain.finish(cutOff), true);
  }

  #take(read: readonly AnswerPart[], plain: readonly AnswerPart[], over: boolean): AnswerPart[] {
    const parts: AnswerPart[] = [];
    for (const part of read) {
      if (this.#held.length > 0 || part.type.startsWith("tool-call")) this.#held.push(part);
      else if (part.type === "text") this.#before += part.text;
      else parts.push(part);
    }
    this.#said += textOf(plain);
    if (this.#json.state === "blank") {
      this.#before = this.#before.trimStart();
      this.#said = this.#said.trimStart();
    }
    const length = Math.min(this.#before.length, this.#said.length);
    const both = this.#said.slice(0, length);
    // Else marks in the answer were taken for those around a call.
    if (this.#before.startsWith(both)) {
      parts.push(...textParts(both));
      this.#json.push(both);
      this.#before = this.#before.slice(length);
      this.#said = this.#said.slice(length);
      this.#right = this.#decided(over);
    } else {
      this.#right = this.#plain;
    }
    if (this.#right === this.#plain) parts.push(...textParts(this.#said));
    if (this.#right === this.#calls) parts.push(...textParts(this.#before), ...this.#held);
    return parts;
  }

  #decided(over: boolean): Reading | undefined {
    if (this.#held.length === 0 && !over) return undefined;
    this.#json.push(this.#before);
    if (this.#json.state === "open") return this.#plain;
    const call = this.#held.find((part) => part.type === "tool-call");
    const hasArguments = this.#held.some(
      (part) => part.type === "tool-call-delta" && part.argumentsDelta !== "",
    );
    if (hasArguments || (call !== undefined && call.call.problem === undefined)) return this.#calls;
    if (call === undefined && !over) return undefined;
    // An answer in JSON may begin as a call does, with a name.
    if (this.#json.state === "blank") this.#json.push(this.#said);
    return this.#json.state === "other" ? this.#calls : this.#plain;
  }
}

function textOf(parts: readonly AnswerPart[]): string {
  return parts.map((part) => (part.type === "text" ? part.text : "")).join("");
}

function textParts(text: string): AnswerPart[] {
  return text === "" ? [] : [{ type: "text", text }];
}
