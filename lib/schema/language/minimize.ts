/** The classes of states that accept the same, by Hopcroft's algorithm: per state, the number of its class. */
export function equivalentStates(
  count: number,
  width: number,
  step: (state: number, column: number) => number,
  isFinal: (state: number) => boolean,
): Int32Array {
  const sources = predecessors(count, width, step);
  const members = new Int32Array(count);
  const place = new Int32Array(count);
  const block = new Int32Array(count);
  const first: number[] = [];
  const size: number[] = [];
  const marked: number[] = [];
  const waiting: number[] = [];
  const queued: boolean[] = [];
  const fill = (states: readonly number[], at: number) => {
    if (states.length === 0) return;
    const name = first.push(at) - 1;
    size.push(states.length);
    marked.push(0);
    queued.push(true);
    waiting.push(name);
    for (const [index, state] of states.entries()) {
      members[at + index] = state;
      place[state] = at + index;
      block[state] = name;
    }
  };
  const all = Array.from({ length: count }, (_, state) => state);
  const final = all.filter(isFinal);
  fill(final, 0);
  fill(
    all.filter((state) => !isFinal(state)),
    final.length,
  );

  const mark = (state: number, touched: number[]) => {
    const name = block[state]!;
    if (marked[name] === 0) touched.push(name);
    const to = first[name]! + marked[name]!;
    const from = place[state]!;
    const other = members[to]!;
    members[to] = state;
    place[state] = to;
    members[from] = other;
    place[other] = from;
    marked[name] = marked[name]! + 1;
  };
  const split = (name: number) => {
    const part = marked[name]!;
    marked[name] = 0;
    if (part === size[name]) return;
    const made = first.push(first[name]!) - 1;
    size.push(part);
    marked.push(0);
    for (let i = 0; i < part; i++) block[members[first[name]! + i]!] = made;
    first[name] = first[name]! + part;
    size[name] = size[name]! - part;
    const next = queued[name] || part <= size[name]! ? made : name;
    queued.push(false);
    queued[next] = true;
    waiting.push(next);
  };
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    queued[name] = false;
    const splitters = members.slice(first[name]!, first[name]! + size[name]!);
    for (let column = 0; column < width; column++) {
      const touched: number[] = [];
      for (const target of splitters) {
        const row = column * (count + 1) + target;
        for (let i = sources.starts[row]!; i < sources.starts[row + 1]!; i++) {
          mark(sources.states[i]!, touched);
        }
      }
      for (const one of touched) split(one);
    }
  }
  return block;
}

/** By column and target, the states from which a step leads there: from starts[row] to starts[row + 1]. */
function predecessors(
  count: number,
  width: number,
  step: (state: number, column: number) => number,
): { starts: Int32Array; states: Int32Array } {
  const starts = new Int32Array(width * (count + 1) + 1);
  const states = new Int32Array(width * count);
  for (let column = 0; column < width; column++) {
    const base = column * (count + 1);
    for (let state = 0; state < count; state++) {
      const row = base + step(state, column) + 1;
      starts[row] = starts[row]! + 1;
    }
  }
  for (let row = 1; row < starts.length; row++) starts[row] = starts[row]! + starts[row - 1]!;
  const next = starts.slice();
  for (let column = 0; column < width; column++) {
    const base = column * (count + 1);
    for (let state = 0; state < count; state++) {
      const row = base + step(state, column);
      states[next[row]!] = state;
      next[row] = next[row]! + 1;
    }
  }
  return { starts, states };
}
