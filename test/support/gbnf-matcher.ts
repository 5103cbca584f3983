/**
 * Matches texts against a grammar in GBNF, as llama.cpp does: by the set of all stacks of items still to
 * come. An own parser, so that it also checks what is written. For grammars that `validateGbnf()` takes.
 */

type Item =
  | { readonly kind: "set"; readonly ranges: readonly number[]; readonly negated: boolean }
  | { readonly kind: "rule"; readonly rule: number };
type Sequence = readonly Item[];

/** Items still to come: from a place in a sequence, and what is behind it. Each is made once. */
interface Stack {
  readonly items: Sequence;
  readonly at: number;
  readonly below: Stack | undefined;
  readonly above: Map<Sequence, (Stack | undefined)[]>;
}

export class GbnfMatcher {
  readonly #rules: Sequence[][] = [];
  readonly #names = new Map<string, number>();
  readonly #bottom = new Map<Sequence, (Stack | undefined)[]>();
  readonly #root: number;
  /** The most stacks that were alive at once. */
  most = 0;

  constructor(source: string, root = "root") {
    new Parser(source, this.#rules, (name) => this.#idOf(name)).parse();
    this.#root = this.#idOf(root);
  }

  #idOf(name: string): number {
    let id = this.#names.get(name);
    if (id === undefined) {
      id = this.#rules.push([]) - 1;
      this.#names.set(name, id);
    }
    return id;
  }

  matches(text: string): boolean {
    return this.reach(text) === "whole";
  }

  /** Whether the text is one of the grammar, the beginning of one, or where it is neither any more. */
  reach(text: string): "whole" | "part" | number {
    let stacks = new Set<Stack | null>();
    this.#expandRule(this.#root, undefined, stacks, new Set());
    let at = 0;
    for (const letter of text) {
      const codePoint = letter.codePointAt(0)!;
      const next = new Set<Stack | null>();
      const seen = new Set<Stack | null>();
      for (const stack of stacks) {
        if (stack === null) continue;
        const item = stack.items[stack.at]!;
        if (item.kind === "set" && inRanges(codePoint, item)) {
          this.#expand(this.#push(stack.items, stack.at + 1, stack.below), next, seen);
        }
      }
      if (next.size === 0) return at;
      stacks = next;
      this.most = Math.max(this.most, stacks.size);
      at += letter.length;
    }
    return stacks.has(null) ? "whole" : "part";
  }

  #push(items: Sequence, at: number, below: Stack | undefined): Stack | undefined {
    if (at === items.length) return below;
    const above = below?.above ?? this.#bottom;
    let row = above.get(items);
    if (row === undefined) {
      row = [];
      above.set(items, row);
    }
    row[at] ??= { items, at, below, above: new Map() };
    return row[at];
  }

  #expand(stack: Stack | undefined, into: Set<Stack | null>, seen: Set<Stack | null>): void {
    const key = stack ?? null;
    if (seen.has(key)) return;
    seen.add(key);
    const item = stack?.items[stack.at];
    if (stack === undefined || item?.kind !== "rule") {
      into.add(key);
      return;
    }
    this.#expandRule(item.rule, this.#push(stack.items, stack.at + 1, stack.below), into, seen);
  }

  #expandRule(
    rule: number,
    below: Stack | undefined,
    into: Set<Stack | null>,
    seen: Set<Stack | null>,
  ): void {
    for (const items of this.#rules[rule]!) this.#expand(this.#push(items, 0, below), into, seen);
  }

  /** A random text of the grammar; undefined where it got too long. */
  sample(random: () => number, limit = 5_000): string | undefined {
    let text = "";
    let stack: Stack | undefined;
    const start = this.#choose(this.#rules[this.#root]!, random, 0);
    stack = this.#push(start, 0, undefined);
    for (let steps = 0; stack !== undefined; steps++) {
      if (steps > limit * 20 || text.length > limit) return undefined;
      const item: Item = stack.items[stack.at]!;
      stack = this.#push(stack.items, stack.at + 1, stack.below);
      if (item.kind === "set") text += pick(item, random);
      else {
        stack = this.#push(this.#choose(this.#rules[item.rule]!, random, steps), 0, stack);
      }
    }
    return text;
  }

  /** After many steps the shortest way out. */
  #choose(alternatives: readonly Sequence[], random: () => number, steps: number): Sequence {
    if (steps > 300) {
      const depths = this.#depths();
      const cost = (items: Sequence) =>
        Math.max(0, ...items.map((item) => (item.kind === "rule" ? depths[item.rule]! : 0)));
      return alternatives.reduce((best, one) => (cost(one) < cost(best) ? one : best));
    }
    return alternatives[Math.floor(random() * alternatives.length)]!;
  }

  #known: number[] | undefined;

  /** Per rule, how deep its shallowest text is. */
  #depths(): number[] {
    if (this.#known !== undefined) return this.#known;
    const depths = this.#rules.map(() => Number.POSITIVE_INFINITY);
    for (let changed = true; changed; ) {
      changed = false;
      this.#rules.forEach((alternatives, id) => {
        for (const items of alternatives) {
          const depth =
            1 +
            Math.max(0, ...items.map((item) => (item.kind === "rule" ? depths[item.rule]! : 0)));
          if (depth < depths[id]!) {
            depths[id] = depth;
            changed = true;
          }
        }
      });
    }
    this.#known = depths;
    return depths;
  }
}

function inRanges(codePoint: number, item: Extract<Item, { kind: "set" }>): boolean {
  for (let i = 0; i < item.ranges.length; i += 2) {
    if (codePoint >= item.ranges[i]! && codePoint <= item.ranges[i + 1]!) return !item.negated;
  }
  return item.negated;
}

function pick({ ranges, negated }: Extract<Item, { kind: "set" }>, random: () => number): string {
  if (negated) throw new Error("A negated class cannot be sampled");
  const range = 2 * Math.floor((random() * ranges.length) / 2);
  const [from, to] = [ranges[range]!, ranges[range + 1]!];
  // Rarely far into the wide ranges: most characters are from the beginning.
  const width = random() < 0.9 ? Math.min(to - from + 1, 96) : to - from + 1;
  return String.fromCodePoint(from + Math.floor(random() * width));
}

const ESCAPES: Readonly<Record<string, number>> = { x: 2, u: 4, U: 8 };
const LETTERS: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t" };

class Parser {
  readonly #source: string;
  readonly #rules: Sequence[][];
  readonly #idOf: (name: string) => number;
  #at = 0;

  constructor(source: string, rules: Sequence[][], idOf: (name: string) => number) {
    this.#source = source;
    this.#rules = rules;
    this.#idOf = idOf;
  }

  parse(): void {
    this.#space();
    while (this.#at < this.#source.length) {
      const id = this.#idOf(this.#name());
      this.#space();
      this.#expect("::=");
      this.#rules[id] = this.#alternatives();
    }
  }

  #alternatives(): Sequence[] {
    const alternatives = [this.#sequence()];
    while (this.#source[this.#at] === "|") {
      this.#at++;
      alternatives.push(this.#sequence());
    }
    return alternatives;
  }

  #sequence(): Sequence {
    const items: Item[] = [];
    let last = 0;
    for (;;) {
      this.#space();
      const letter = this.#source[this.#at];
      if (letter === '"') {
        last = items.length;
        this.#at++;
        while (this.#source[this.#at] !== '"') {
          const codePoint = this.#character();
          items.push({ kind: "set", ranges: [codePoint, codePoint], negated: false });
        }
        this.#at++;
      } else if (letter === "[") {
        last = items.length;
        items.push(this.#set());
      } else if (letter === ".") {
        last = items.length;
        this.#at++;
        items.push({ kind: "set", ranges: [0, 0x10ffff], negated: false });
      } else if (letter === "(") {
        last = items.length;
        this.#at++;
        const rule = this.#made(this.#alternatives());
        this.#expect(")");
        items.push({ kind: "rule", rule });
      } else if (letter === "*" || letter === "+" || letter === "?" || letter === "{") {
        items.push(...this.#repeated(items.splice(last)));
      } else {
        const name = /^[A-Za-z0-9-]+/.exec(this.#source.slice(this.#at, this.#at + 200))?.[0];
        if (name === undefined || this.#startsRule(name.length)) return items;
        last = items.length;
        this.#at += name.length;
        items.push({ kind: "rule", rule: this.#idOf(name) });
      }
    }
  }

  #startsRule(length: number): boolean {
    return /^[ \t]*::=/.test(this.#source.slice(this.#at + length, this.#at + length + 40));
  }

  #repeated(items: Sequence): Item[] {
    const letter = this.#source[this.#at++];
    let min = letter === "+" ? 1 : 0;
    let max = letter === "?" ? 1 : Number.POSITIVE_INFINITY;
    if (letter === "{") {
      const close = this.#source.indexOf("}", this.#at);
      const bounds = this.#source.slice(this.#at, close).split(",");
      min = Number(bounds[0]);
      max = bounds.length === 1 ? min : bounds[1]!.trim() === "" ? max : Number(bounds[1]);
      this.#at = close + 1;
    }
    const repeated: Item[] = [];
    for (let i = 0; i < min; i++) repeated.push(...items);
    if (max === Number.POSITIVE_INFINITY) {
      const rule = this.#rules.push([]) - 1;
      this.#rules[rule] = [[...items, { kind: "rule", rule }], []];
      repeated.push({ kind: "rule", rule });
    } else {
      let rest: Item[] = [];
      for (let i = min; i < max; i++) {
        rest = [{ kind: "rule", rule: this.#made([[...items, ...rest], []]) }];
      }
      repeated.push(...rest);
    }
    return repeated;
  }

  #made(alternatives: Sequence[]): number {
    return this.#rules.push(alternatives) - 1;
  }

  #set(): Item {
    this.#at++;
    const negated = this.#source[this.#at] === "^";
    if (negated) this.#at++;
    const ranges: number[] = [];
    while (this.#source[this.#at] !== "]") {
      const from = this.#character();
      let to = from;
      if (this.#source[this.#at] === "-" && this.#source[this.#at + 1] !== "]") {
        this.#at++;
        to = this.#character();
      }
      ranges.push(from, to);
    }
    this.#at++;
    return { kind: "set", ranges, negated };
  }

  #character(): number {
    const codePoint = this.#source.codePointAt(this.#at)!;
    this.#at += codePoint > 0xffff ? 2 : 1;
    if (codePoint !== 0x5c) return codePoint;
    const letter = this.#source[this.#at++]!;
    const digits = ESCAPES[letter];
    if (digits === undefined) return (LETTERS[letter] ?? letter).codePointAt(0)!;
    this.#at += digits;
    return Number.parseInt(this.#source.slice(this.#at - digits, this.#at), 16);
  }

  #name(): string {
    const start = this.#at;
    while (/[A-Za-z0-9-]/.test(this.#source[this.#at] ?? "")) this.#at++;
    if (this.#at === start) throw new Error(`Expected a name at ${this.#at}`);
    return this.#source.slice(start, this.#at);
  }

  #expect(text: string): void {
    this.#space();
    if (!this.#source.startsWith(text, this.#at))
      throw new Error(`Expected ${text} at ${this.#at}`);
    this.#at += text.length;
  }

  #space(): void {
    while (/[ \t\r\n#]/.test(this.#source[this.#at] ?? "")) {
      if (this.#source[this.#at] === "#") {
        while (this.#at < this.#source.length && this.#source[this.#at] !== "\n") this.#at++;
      } else this.#at++;
    }
  }
}
