/** An item that matches text: a literal, a character class, any character or a token. */
export const TERMINAL = -1;
/** Between two alternatives of a definition. */
export const ALTERNATIVE = -2;
/** After the last one. */
export const END = -3;

/** The right side of a rule while it is read. */
export interface Definition {
  /** Each the id of a rule, or one of the marks above. */
  items: number[];
  /** Where in the source each item stands. */
  offsets: number[];
  /** In llama.cpp's elements: one for each character of a literal, for each reference and mark. */
  size: number;
}

/**
 * The rules of a grammar by the ids that llama.cpp gives them: in the order in which it meets their
 * names, and makes rules for groups and repetitions. The definitions stand one after the other in
 * `items`, since there may be a million of them.
 */
export class GbnfRules {
  readonly items: number[] = [];
  readonly offsets: number[] = [];
  /** Per id, where in `items` its definition begins; -1 while it has none. */
  readonly starts: number[] = [];
  readonly sizes: number[] = [];
  /** Of a made rule, the name of the one that it was made for. */
  readonly names: string[] = [];
  /** Where each was mentioned first. */
  readonly mentions: number[] = [];
  /** Texts of the tokens that are named, as "<think>". */
  readonly tokenTexts = new Set<string>();
  private readonly ids = new Map<string, number>();

  get count(): number {
    return this.starts.length;
  }

  find(name: string): number | undefined {
    return this.ids.get(name);
  }

  /** The first mention of a name gives it its id. */
  idOf(name: string, offset: number): number {
    const known = this.ids.get(name);
    if (known !== undefined) return known;
    const id = this.make(name, offset);
    this.ids.set(name, id);
    return id;
  }

  nameToken(text: string): void {
    if (text !== "") this.tokenTexts.add(text);
  }

  make(owner: string, offset: number): number {
    this.starts.push(-1);
    this.sizes.push(0);
    this.names.push(owner);
    this.mentions.push(offset);
    return this.starts.length - 1;
  }

  /** A second definition replaces the first, but the rules made for that stay. */
  define(id: number, definition: Definition): void {
    this.begin(id, definition);
    this.add(END, this.mentions[id]!);
  }

  /** What `definition` holds and then rule `rest`, or nothing at all. */
  defineOptional(
    id: number,
    definition: Definition,
    rest: number | undefined,
    offset: number,
  ): void {
    this.begin(id, definition);
    if (rest !== undefined) this.add(rest, offset);
    this.add(ALTERNATIVE, offset);
    this.add(END, offset);
    this.sizes[id] = definition.size + (rest === undefined ? 2 : 3);
  }

  private begin(id: number, { items, offsets, size }: Definition): void {
    this.starts[id] = this.items.length;
    this.sizes[id] = size;
    for (let i = 0; i < items.length; i++) this.add(items[i]!, offsets[i]!);
  }

  private add(item: number, offset: number): void {
    this.items.push(item);
    this.offsets.push(offset);
  }

  isDefined(id: number): boolean {
    return this.starts[id] !== -1;
  }

  isMade(id: number): boolean {
    return this.ids.get(this.names[id]!) !== id;
  }
}
