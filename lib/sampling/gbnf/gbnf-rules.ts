/** An item that matches text: a literal, a character class, any character or a token. */
export const TERMINAL = -1;
/** Between two alternatives of a definition. */
export const ALTERNATIVE = -2;
/** After the last one. */
export const END = -3;

/** The right side of a rule. */
export interface Definition {
  /** Each the id of a rule, or one of the marks above. */
  items: number[];
  /** Where in the source each item stands. */
  offsets: number[];
  /** In llama.cpp's elements: one for each character of a literal, for each reference and mark. */
  size: number;
}

export function append(definition: Definition, item: number, offset: number, size: number): void {
  definition.items.push(item);
  definition.offsets.push(offset);
  definition.size += size;
}

/**
 * The rules of a grammar under the ids that llama.cpp gives them: it numbers names as it meets them,
 * and makes rules for groups and repetitions. There may be a million, so their definitions stand one
 * after the other in two arrays.
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

  make(owner: string, offset: number): number {
    this.starts.push(-1);
    this.sizes.push(0);
    this.names.push(owner);
    this.mentions.push(offset);
    return this.starts.length - 1;
  }

  /** A second definition replaces the first, but the rules made for that stay. */
  define(id: number, { items, offsets, size }: Definition): void {
    this.starts[id] = this.items.length;
    this.sizes[id] = size;
    for (let i = 0; i < items.length; i++) this.add(items[i]!, offsets[i]!);
    this.add(END, this.mentions[id]!);
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
