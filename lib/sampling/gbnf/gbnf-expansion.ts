import { type GbnfProblem, quoteName } from "./gbnf-error.js";
import { ALTERNATIVE, END, type GbnfRules } from "./gbnf-rules.js";
import { type LeftEdges, leftEdges, possiblyEmpty } from "./left-edges.js";

/** llama.cpp compares every pair of them at every character: 1.5 seconds for this many. */
const MAX_STACKS = 1 << 15;
/** Length of all stacks it goes through on the way; about 100 bytes of memory each at worst. */
const MAX_CELLS = 4_000_000;

/**
 * What would go wrong when llama.cpp expands a rule down to the terminals that it can begin with.
 * It keeps a stack of the items still to come for each way to do so, and goes on while it finds new
 * stacks: for ever, in left recursion that its own check does not see (behind rules that are empty
 * only by way of others). A rule without any stack aborts the process.
 */
export function expansionProblem(rules: GbnfRules, root: number): GbnfProblem | undefined {
  return new Expansion(rules).check(reachable(rules, root));
}

function reachable(rules: GbnfRules, root: number): number[] {
  const found = [root];
  const seen = new Uint8Array(rules.count);
  seen[root] = 1;
  for (let n = 0; n < found.length; n++) {
    for (let i = rules.starts[found[n]!]!; rules.items[i] !== END; i++) {
      const item = rules.items[i]!;
      if (item < 0 || seen[item] === 1) continue;
      seen[item] = 1;
      found.push(item);
    }
  }
  return found;
}

/** Tarjan's algorithm without its recursion: components come out after all that they begin with. */
class Expansion {
  private readonly rules: GbnfRules;
  private readonly empty: Uint8Array;
  private readonly edges: LeftEdges;
  /** The component of each rule, -1 as long as it has none. */
  private readonly component: Int32Array;
  private components = 0;
  /** Per rule, the stacks that end in a terminal, all stacks, and the items in those. */
  private readonly ends: Float64Array;
  private readonly stacks: Float64Array;
  private readonly cells: Float64Array;

  constructor(rules: GbnfRules) {
    this.rules = rules;
    this.empty = possiblyEmpty(rules);
    this.edges = leftEdges(rules, this.empty);
    this.component = new Int32Array(rules.count).fill(-1);
    this.ends = new Float64Array(rules.count);
    this.stacks = new Float64Array(rules.count);
    this.cells = new Float64Array(rules.count);
  }

  check(starts: readonly number[]): GbnfProblem | undefined {
    const { first, targets } = this.edges;
    const next = first.slice();
    const order = new Int32Array(this.rules.count); // of discovery; 0: not yet
    const low = new Int32Array(this.rules.count);
    const unassigned: number[] = [];
    let discovered = 0;
    for (const start of starts) {
      if (order[start] !== 0) continue;
      const path = [start];
      for (let rule: number | undefined = start; rule !== undefined; rule = path.at(-1)) {
        if (order[rule] === 0) {
          order[rule] = low[rule] = ++discovered;
          unassigned.push(rule);
        }
        const edge: number = next[rule]!;
        if (edge < first[rule + 1]!) {
          next[rule] = edge + 1;
          const target: number = targets[edge]!;
          if (order[target] === 0) path.push(target);
          else if (this.component[target] === -1) low[rule] = Math.min(low[rule]!, order[target]!);
          continue;
        }
        path.pop();
        const parent = path.at(-1);
        if (parent !== undefined) low[parent] = Math.min(low[parent]!, low[rule]!);
        if (low[rule] !== order[rule]) continue;
        const members = unassigned.splice(unassigned.lastIndexOf(rule));
        const problem = this.measure(members);
        if (problem !== undefined) return problem;
      }
    }
    return undefined;
  }

  /** Rules of one component begin with each other: they expand to the same stacks. */
  private measure(members: readonly number[]): GbnfProblem | undefined {
    const component = this.components++;
    for (const rule of members) this.component[rule] = component;
    let ends = 0;
    let stacks = 0;
    let cells = 0;
    for (const rule of members) {
      const terminals = this.edges.terminals[rule]!;
      ends += terminals;
      stacks += terminals;
      cells += terminals;
      for (let edge = this.edges.first[rule]!; edge < this.edges.first[rule + 1]!; edge++) {
        const target = this.edges.targets[edge]!;
        stacks++;
        cells++;
        if (this.component[target] === component) {
          if (!this.isLast(edge)) return this.endless(rule, edge);
          continue; // no longer stack than the one it comes from
        }
        ends += this.ends[target]!;
        stacks += this.stacks[target]!;
        cells += this.cells[target]! + (this.isLast(edge) ? 0 : this.stacks[target]!);
      }
    }
    for (const rule of members) {
      this.ends[rule] = ends;
      this.stacks[rule] = stacks;
      this.cells[rule] = cells;
    }
    const rule = members[0]!;
    if (ends === 0 && this.empty[rule] === 0) return this.unmatchable(rule);
    if (ends > MAX_STACKS || cells > MAX_CELLS) return this.tooManyStacks(rule, ends);
    return undefined;
  }

  /** Whether nothing of its alternative stays on the stack when the reference is expanded. */
  private isLast(edge: number): boolean {
    return this.rules.items[this.edges.origins[edge]! + 1]! <= ALTERNATIVE;
  }

  private endless(rule: number, edge: number): GbnfProblem {
    const name = quoteName(this.rules.names[rule]!);
    const target = quoteName(this.rules.names[this.edges.targets[edge]!]!);
    return {
      offset: this.rules.offsets[this.edges.origins[edge]!]!,
      expected: `rule ${name} to match something before it comes back to itself`,
      got: `${target} after nothing or only after what may match nothing`,
      hint: "llama.cpp would expand it for ever",
    };
  }

  private unmatchable(rule: number): GbnfProblem {
    return {
      offset: this.rules.mentions[rule]!,
      expected: `rule ${quoteName(this.rules.names[rule]!)} to match something`,
      got: "only references that lead back to it",
    };
  }

  private tooManyStacks(rule: number, ends: number): GbnfProblem {
    const name = quoteName(this.rules.names[rule]!);
    return {
      offset: this.rules.mentions[rule]!,
      expected: `at most ${MAX_STACKS} ways for rule ${name} to begin`,
      got: ends > MAX_STACKS && Number.isSafeInteger(ends) ? String(ends) : "far too many",
      hint: "Give alternatives that begin alike one rule for what they share",
    };
  }
}
