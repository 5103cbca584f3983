/** From where steps lead to each state. */
export interface Predecessors {
  /** In `sources`, per state and column, where they begin; one more at the end. */
  readonly starts: Int32Array;
  readonly sources: Int32Array;
}

/** `table`: row by row the next states, less than 0 for none. */
export function predecessorsOf(table: Int32Array, width: number): Predecessors {
  const starts = new Int32Array(table.length + 1);
  let steps = 0;
  for (let i = 0, column = 0; i < table.length; i++) {
    if (table[i]! >= 0) {
      starts[table[i]! * width + column]!++;
      steps++;
    }
    if (++column === width) column = 0;
  }
  // Where each ends, and from there backwards where it begins.
  for (let row = 1; row < starts.length; row++) starts[row]! += starts[row - 1]!;
  const sources = new Int32Array(steps);
  for (let i = table.length - 1, column = width - 1; i >= 0; i--) {
    if (table[i]! >= 0) {
      sources[--starts[table[i]! * width + column]!] = Math.floor(i / width);
    }
    if (--column < 0) column = width - 1;
  }
  return { starts, sources };
}

/**
 * The classes of states that accept the same, by Hopcroft's algorithm: per state, the number of its class.
 * From each state one is reached that accepts.
 */
export function equivalentStates(
  accepting: Uint8Array,
  width: number,
  { starts, sources }: Predecessors,
): Int32Array {
  const count = accepting.length;
  // The members of each class stand together, the marked ones in front.
  const members = new Int32Array(count);
  const place = new Int32Array(count);
  const block = new Int32Array(count);
  const first = new Int32Array(count);
  const size = new Int32Array(count);
  const marked = new Int32Array(count);
  const queued = new Uint8Array(count);
  const waiting: number[] = [];
  let blocks = 0;
  for (let final = 1, at = 0; final >= 0; final--) {
    const begin = at;
    for (let state = 0; state < count; state++) {
      if (accepting[state] !== final) continue;
      members[at] = state;
      place[state] = at++;
      block[state] = blocks;
    }
    if (at === begin) continue;
    first[blocks] = begin;
    size[blocks] = at - begin;
    queued[blocks] = 1;
    waiting.push(blocks++);
  }

  const touched: number[] = [];
  const mark = (state: number) => {
    const name = block[state]!;
    if (marked[name] === 0) touched.push(name);
    const to = first[name]! + marked[name]!;
    const from = place[state]!;
    const other = members[to]!;
    members[to] = state;
    place[state] = to;
    members[from] = other;
    place[other] = from;
    marked[name]!++;
  };
  const split = (name: number) => {
    const part = marked[name]!;
    marked[name] = 0;
    if (part === size[name]) return;
    const made = blocks++;
    first[made] = first[name]!;
    size[made] = part;
    for (let i = 0; i < part; i++) block[members[first[name]! + i]!] = made;
    first[name]! += part;
    size[name]! -= part;
    const next = queued[name] === 1 || part <= size[name]! ? made : name;
    queued[next] = 1;
    waiting.push(next);
  };
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    queued[name] = 0;
    const splitters = members.slice(first[name]!, first[name]! + size[name]!);
    for (let column = 0; column < width; column++) {
      for (const target of splitters) {
        const row = target * width + column;
        for (let i = starts[row]!; i < starts[row + 1]!; i++) mark(sources[i]!);
      }
      for (const one of touched) split(one);
      touched.length = 0;
    }
  }
  return block;
}
