import type { Callable, CallableTools } from "./callable-tools.js";
import { BLANK, NAME, NAME_START } from "./characters.js";
import { brokenCall, type FoundCall, type Outcome } from "./found-calls.js";
import type { Literal, Members } from "./literal.js";
import { LiteralReader } from "./literal-reader.js";
import type { OutputFeed, Reading } from "./output-feed.js";

/** `NAME.call(query="…")`: the form of built-in tools, with any name. */
const STRANGE_BUILTIN = /^([A-Za-z_]\w*)\.call\($/;
const STRING = /"[^"]*"?|'[^']*'?/g;
/** Words that may stand beside another operand in a Python expression. */
const OPERATOR = /\b(?:lambda|if|else|for|in|is|not|and|or|await|async|yield|from)\b/g;
const ADJACENT_WORDS = /[\w\u0080-\uffff]\s+[\w\u0080-\uffff]/;
const SHOWN = 80;

interface Argument {
  readonly name: string | undefined;
  readonly value: Literal;
}

/** A call that was read, by its places in the text. */
interface WrittenCall {
  readonly callable: Callable;
  readonly start: number;
  readonly end: number;
  /** Where its arguments begin… */
  readonly inside: number;
  readonly list: readonly Argument[];
  /** …and the one that is no literal. */
  readonly wrong: number | undefined;
}

/**
 * Python calls. Positional arguments get the names of the schema's properties, in their order. A dict as the only
 * argument holds them all, unless none of its keys is the tool's. A call whose arguments are not literals is never
 * evaluated: it has a problem. So has one whose positional arguments have no names.
 */
export class PythonCalls {
  readonly #feed: OutputFeed;
  readonly #tools: CallableTools;
  /** Whether tools that were not given are called, too. */
  readonly #anyName: boolean;
  readonly #calls: WrittenCall[] = [];
  /** Where the calls end, with the separator behind them. */
  #end = 0;

  constructor(feed: OutputFeed, tools: CallableTools, anyName: boolean) {
    this.#feed = feed;
    this.#tools = tools;
    this.#anyName = anyName;
  }

  /**
   * `[f(a=1), g()]`, from after the bracket and white space. A list that goes on behind its "]" as a link or an expression
   * does is none.
   */
  *list(): Reading<Outcome> {
    const feed = this.#feed;
    do {
      const start = feed.length;
      const opening = yield* this.#opening();
      const name = opening.slice(0, -1);
      const unknown =
        this.#anyName && name !== "" ? ({ name, format: "pythonic" } as const) : undefined;
      const callable = this.#tools.callable(opening) ?? unknown;
      if (callable === undefined) return this.#cutOff("other");
      if (!(yield* this.#call(callable, start))) return this.#cutOff("text");
      const char = yield* feed.next();
      if (char === "," || char === ";") yield* this.#separator();
      else if (char !== "]") return this.#cutOff("other");
    } while (feed.char !== "]");
    feed.skip();
    if (feed.dry) yield;
    if (/[([]/.test(feed.char)) return "other";
    this.#end = feed.length;
    return this.#outcome();
  }

  /**
   * `f(a=1)` or `brave_search.call(query="…")` without brackets around: a call only where the name is a
   * given or built-in tool's, and nothing but white space, ";", a closing fence, or a comma and another
   * such call follows on its line; `print("x")` stays text. Of other names `NAME.call(query="…")` alone is one.
   */
  *bare(): Reading<Outcome> {
    const feed = this.#feed;
    for (;;) {
      const start = feed.length;
      const callable = yield* this.#bareName();
      if (callable === undefined) return "other";
      if (!(yield* this.#call(callable, start))) return this.#cutOff("text");
      yield* feed.run(BLANK);
      if (/^[\n;<`]?$/.test(feed.char)) return this.#outcome();
      if (feed.char !== ",") return "other";
      yield* this.#separator();
    }
  }

  /** Of prose no more is read than what a tool's name begins with. */
  *#bareName(): Reading<Callable | undefined> {
    if (!this.#anyName) {
      const opening = yield* this.#feed.oneOf(this.#tools.openings);
      return opening === undefined ? undefined : this.#tools.callable(opening);
    }
    const opening = yield* this.#opening();
    const name = STRANGE_BUILTIN.exec(opening)?.[1];
    const strange = name === undefined ? undefined : ({ name, format: "builtin" } as const);
    return this.#tools.callable(opening) ?? strange;
  }

  /** A name and the "(" behind it. */
  *#opening(): Reading<string> {
    const feed = this.#feed;
    const name = NAME_START.test(feed.char) ? yield* feed.run(NAME) : "";
    if (name === "" || feed.char !== "(") return "";
    feed.skip();
    return `${name}(`;
  }

  *#separator(): Reading<void> {
    this.#feed.skip();
    yield* this.#feed.next();
    this.#end = this.#feed.length;
  }

  /** The rest of a call. */
  *#call(callable: Callable, start: number): Reading<boolean> {
    const feed = this.#feed;
    const reader = new LiteralReader(feed, "python", ")");
    const inside = feed.length;
    const list: Argument[] = [];
    let wrong: number | undefined;
    yield* feed.next();
    while (wrong === undefined && feed.char !== ")") {
      const at = feed.length;
      const argument = yield* this.#argument(reader);
      const char = yield* feed.next();
      if (char === ",") yield* this.#separator();
      const ends = char === "," || char === ")";
      if (argument !== undefined && reader.readable && ends) list.push(argument);
      else wrong = at;
    }
    if (wrong === undefined) feed.skip();
    else if (!(yield* reader.skip())) return false;
    this.#end = feed.length;
    this.#calls.push({ callable, start, end: this.#end, inside, list, wrong });
    return true;
  }

  *#argument(reader: LiteralReader): Reading<Argument | undefined> {
    const feed = this.#feed;
    const word = NAME_START.test(feed.char) ? yield* feed.run(NAME) : "";
    const named = word !== "" && (yield* feed.next()) === "=";
    if (named) {
      feed.skip();
      yield* feed.next();
    }
    const value = yield* reader.value(named ? "" : word);
    return value === undefined ? undefined : { name: named ? word : undefined, value };
  }

  /** If the output ended, the complete calls count. */
  #cutOff(otherwise: "text" | "other"): Outcome {
    if (!this.#feed.over) return "other";
    return this.#calls.length > 0 ? this.#outcome() : otherwise;
  }

  #outcome(): Outcome {
    const { text } = this.#feed;
    const calls: FoundCall[] = [];
    for (const written of this.#calls) {
      const call = this.#read(written, text);
      if (call === undefined) return "other";
      calls.push(call);
    }
    return { calls, length: this.#end };
  }

  /** Undefined if it is prose, or code. */
  #read({ callable, start, end, inside, list, wrong }: WrittenCall, text: string) {
    const tools = this.#tools;
    const source = text.slice(start, end);
    const told = callable.format === "pythonic" || tools.callable(text.slice(start, inside));
    if (wrong !== undefined) {
      const isCall = tools.has(callable.name) || isExpression(text.slice(inside, end - 1));
      if (!told || !isCall) return undefined;
      const shown = text.slice(wrong, end - 1);
      const cut = shown.length > SHOWN ? `${shown.slice(0, SHOWN)}…` : shown;
      return brokenCall(callable, `Expected literal arguments, got ${cut.trim()}`, source);
    }
    const members = nameThem(list, tools.properties(callable));
    if (typeof members === "string") {
      return told ? brokenCall(callable, members, source) : undefined;
    }
    const call = { ...callable, arguments: tools.arguments(callable.name, members) };
    return told || call.arguments.startsWith('{"query":"') ? call : undefined;
  }
}

/** The arguments by name, or what is wrong with them. */
function nameThem(
  list: readonly Argument[],
  properties: readonly string[] | undefined,
): Members | string {
  const [first] = list;
  if (list.length === 1 && first?.name === undefined && first?.value instanceof Map) {
    const keys = [...first.value.keys()];
    if (properties === undefined || keys.length === 0) return first.value;
    if (keys.some((key) => properties.includes(key))) return first.value;
  }
  const members: Members = new Map();
  for (const [index, { name, value }] of list.entries()) {
    const key = name ?? properties?.[index];
    if (key === undefined) {
      return properties === undefined
        ? "Expected arguments by name, since the tool's parameters are not known"
        : `Expected at most ${properties.length} arguments, got ${list.length}`;
    }
    if (members.has(key)) return `The argument ${JSON.stringify(key)} is given twice`;
    members.set(key, value);
  }
  return members;
}

/** Whether no two words are adjacent, as they are in prose. */
function isExpression(text: string): boolean {
  return !ADJACENT_WORDS.test(text.replace(STRING, '""').replace(OPERATOR, ","));
}
