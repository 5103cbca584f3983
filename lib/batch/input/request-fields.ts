import { isPlainObject } from "../../internal/checks.js";
import { CriaError, expected, invalid, messageOf } from "../../internal/errors.js";
import { nearest } from "../../internal/option-names.js";
import { unsupported } from "../batch-failures.js";

/** What happens to each field of a request: it is read, ignored, or refused with a reason. */
export interface KnownFields {
  readonly read: readonly string[];
  /** Fields that change nothing in the result. */
  readonly ignored: readonly string[];
  /** Fields that would change it and cannot be honoured, but for the values that ask for nothing. */
  readonly refused: Readonly<Record<string, { readonly unless: readonly unknown[]; why: string }>>;
}

/** Finds the field of a body that became an option, by what the options are called there. */
export function bodyFields(
  names: Readonly<Record<string, string>>,
): (option: string) => string | undefined {
  return (option) => (Object.hasOwn(names, option) ? `body.${names[option]}` : undefined);
}

/** An object of the input. A field that is not known is refused; null counts as not given. */
export class RequestFields {
  readonly #values = new Map<string, unknown>();
  readonly #name: string;

  constructor(value: unknown, name: string, known: KnownFields) {
    if (!isPlainObject(value)) throw expected("an object", name, value);
    this.#name = name;
    for (const [key, given] of Object.entries(value)) {
      if (given === null) continue;
      if (known.read.includes(key)) this.#values.set(key, given);
      else if (!known.ignored.includes(key)) this.#refuse(key, given, known);
    }
  }

  /** The field as `read` reads it; undefined if it is not given. */
  get<T>(key: string, read: (value: unknown, name: string) => T): T | undefined {
    const value = this.#values.get(key);
    return value === undefined ? undefined : read(value, this.nameOf(key));
  }

  needed<T>(key: string, what: string, read: (value: unknown, name: string) => T): T {
    if (!this.#values.has(key)) throw expected(what, this.nameOf(key), undefined);
    return this.get(key, read) as T;
  }

  has(key: string): boolean {
    return this.#values.has(key);
  }

  nameOf(key: string): string {
    return this.#name === "" ? key : `${this.#name}.${key}`;
  }

  #refuse(key: string, value: unknown, { read, ignored, refused }: KnownFields): void {
    const rule = Object.hasOwn(refused, key) ? refused[key] : undefined;
    const name = this.nameOf(key);
    if (rule !== undefined) {
      if (rule.unless.some((neutral) => same(neutral, value))) return;
      throw unsupported(name, rule.why);
    }
    const near = nearest(key, [...read, ...ignored]);
    const hint = near === undefined ? "" : `: did you mean \`${this.nameOf(near)}\`?`;
    throw invalid(`Unknown field \`${name}\`${hint || ", which may change what is asked for"}`, {
      name,
    });
  }
}

function same(neutral: unknown, value: unknown): boolean {
  return neutral === value || JSON.stringify(neutral) === JSON.stringify(value);
}

export function anything(value: unknown): unknown {
  return value;
}

export function object(value: unknown, name: string): Record<string, unknown> {
  if (isPlainObject(value)) return value;
  throw expected("an object", name, value);
}

/** One text or more. */
export function textOrTexts(value: unknown, name: string): readonly string[] {
  const texts = Array.isArray(value) ? (value as unknown[]) : [value];
  if (texts.length > 0 && texts.every((text) => typeof text === "string")) return texts as string[];
  throw expected("a string or an array of strings", name, value);
}

/** The code and the message of an error, which calls the options by the line's own fields. */
export function failureOf(
  error: unknown,
  fieldOf: (option: string) => string | undefined,
): { code: string; message: string } {
  if (!CriaError.is(error)) return { code: "ERR_INTERNAL", message: messageOf(error) };
  const { name, needs } = error.details ?? {};
  let { message } = error;
  for (const path of [name, needs]) {
    const [, option = "", rest = ""] = OPTION.exec(String(path)) ?? [];
    const field = fieldOf(option);
    if (field !== undefined) message = message.replaceAll(`\`${path}`, () => `\`${field}${rest}`);
  }
  return { code: error.code, message };
}

/** The path of an option, such as `options.toolChoice.type` or `messages[0]`. */
const OPTION = /^(?:options\.)?(\w+)(.*)$/s;
