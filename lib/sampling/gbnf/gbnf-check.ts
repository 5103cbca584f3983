import { quoteName, refuse } from "./gbnf-error.js";
import { ALTERNATIVE, END, type GbnfRules, TERMINAL } from "./gbnf-rules.js";

/** llama.cpp's check for left recursion is recursive, 136 bytes a rule; x{0,2000} may go 2000 deep. */
export const MAX_LEFT_DEPTH = 2500;
/** Elements that it visits on the way, again for every way to reach a rule: a few seconds' worth. */
export const MAX_LEFT_STEPS = 1_000_000_000;
/** llama.cpp compares every pair of them at every character: 1.5 seconds for this many. */
export const MAX_STACKS = 1 << 15;
/** Length of all stacks that it goes through on the way; about 100 bytes of memory each at worst. */
export const MAX_CELLS = 4_000_000;

const SHOWN_NAMES = 5;

/** Throws for what llama.cpp refuses, or does not survive, in rules that are each well formed. */
export function checkRules(source: string, rules: GbnfRules, root: string): void {
  new RulesCheck(source, rules).check(root);
}

/** A rule on the way down to what rules begin with, as far as it was read. */
interface Visit {
  readonly rule: number;
  at: number;
  /** Nothing of the alternative before `at` needs to match anything. */
  atStart: boolean;
  /** So llama.cpp's check for left recursion sees it, too: it knows plainly empty rules only. */
  plain: boolean;
}

const NEW = 0;
const OPEN = 1;
const DONE = 2;

class RulesCheck {
  private readonly source: string;
  private readonly rules: GbnfRules;
  private readonly state: Uint8Array;
  /** Rules with an alternative of no items; rules that can match the empty text, once they are done. */
  private readonly plainlyEmpty: Uint8Array;
  private readonly empty: Uint8Array;
  private readonly depth: Int32Array;
  private readonly steps: Float64Array;
  /** Those that are done: each after all that it begins with. */
  private readonly order: number[] = [];

  constructor(source: string, rules: GbnfRules) {
    this.source = source;
    this.rules = rules;
    this.state = new Uint8Array(rules.count);
    this.empty = new Uint8Array(rules.count);
    this.plainlyEmpty = plainlyEmpty(rules);
    this.depth = new Int32Array(rules.count).fill(1);
    this.steps = Float64Array.from(rules.sizes);
  }

  check(root: string): void {
    const start = this.checkRoot(root);
    this.checkDefined();
    let steps = 0;
    for (let rule = 0; rule < this.rules.count; rule++) {
      if (this.state[rule] !== NEW || !this.rules.isDefined(rule)) continue;
      this.descend(rule);
      // What it reached is checked with it and not again, as in llama.cpp.
      steps += this.steps[rule]!;
      if (steps > MAX_LEFT_STEPS) this.tooManySteps(rule);
    }
    this.measure(this.reachable(start));
  }

  private checkRoot(root: string): number {
    const { rules } = this;
    const id = rules.find(root);
    if (id !== undefined && rules.isDefined(id)) return id;
    const names: string[] = [];
    for (let other = 0; other < rules.count && names.length < SHOWN_NAMES; other++) {
      if (rules.isDefined(other) && !rules.isMade(other)) {
        names.push(quoteName(rules.names[other]!));
      }
    }
    const got = names.length === 0 ? "no rules" : `the rules ${names.join(", ")}`;
    return this.refuse(0, `a rule named ${quoteName(root)} to start with`, got);
  }

  /**
   * A reference without its rule. llama.cpp also refuses a name that only a replaced definition or an
   * item repeated {0} times mentioned, unless no rule came after it.
   */
  private checkDefined(): void {
    const { rules } = this;
    let defined = rules.count;
    while (defined > 0 && !rules.isDefined(defined - 1)) defined--;
    for (let id = 0; id < defined; id++) {
      if (!rules.isDefined(id)) this.undefinedRule(id);
      for (let i = rules.starts[id]!; rules.items[i] !== END; i++) {
        const item = rules.items[i]!;
        if (item >= 0 && !rules.isDefined(item)) this.undefinedRule(item);
      }
    }
  }

  /**
   * Follows what rules begin with, without recursion. Refuses a rule that comes back to itself that way
   * by another, used or not: llama.cpp takes none that it sees, and expands some that it does not see
   * for ever. A rule that has itself behind others that may be empty is left to measure().
   */
  private descend(start: number): void {
    const { items } = this.rules;
    const path = [this.enter(start)];
    for (let visit = path.at(-1); visit !== undefined; visit = path.at(-1)) {
      const { rule } = visit;
      const item = items[visit.at]!;
      if (item <= ALTERNATIVE) {
        if (visit.atStart) this.empty[rule] = 1;
        visit.atStart = visit.plain = true;
        visit.at++;
        if (item !== END) continue;
        if (this.depth[rule]! > MAX_LEFT_DEPTH) this.tooDeep(rule);
        this.state[rule] = DONE;
        this.order.push(rule);
        path.pop();
      } else if (!visit.atStart || item === TERMINAL || (item === rule && !visit.plain)) {
        visit.atStart = false;
        visit.at++;
      } else if (this.state[item] === NEW) {
        path.push(this.enter(item));
      } else if (this.state[item] === OPEN) {
        this.circle(path.slice(path.findIndex((other) => other.rule === item)));
      } else {
        this.depth[rule] = Math.max(this.depth[rule]!, this.depth[item]! + 1);
        this.steps[rule] = this.steps[rule]! + this.steps[item]!;
        visit.atStart = this.empty[item] === 1;
        visit.plain &&= this.plainlyEmpty[item] === 1;
        visit.at++;
      }
    }
  }

  private enter(rule: number): Visit {
    this.state[rule] = OPEN;
    return { rule, at: this.rules.starts[rule]!, atStart: true, plain: true };
  }

  private reachable(root: number): Uint8Array {
    const { items, starts, count } = this.rules;
    const reached = new Uint8Array(count);
    reached[root] = 1;
    const found = [root];
    for (let id = found.pop(); id !== undefined; id = found.pop()) {
      for (let i = starts[id]!; items[i] !== END; i++) {
        const item = items[i]!;
        if (item < 0 || reached[item] === 1) continue;
        reached[item] = 1;
        found.push(item);
      }
    }
    return reached;
  }

  /**
   * What llama.cpp makes of each rule when it comes to it: it expands it down to the terminals that it
   * can begin with, and keeps a stack of the items still to come for each way to do so. It goes on
   * while it finds new stacks, and a rule without any ends the process.
   */
  private measure(reached: Uint8Array): void {
    const { items, starts, mentions, names, count } = this.rules;
    // Per rule: the stacks that end in a terminal, all stacks, and the items in those.
    const ends = new Float64Array(count);
    const stacks = new Float64Array(count);
    const cells = new Float64Array(count);
    for (const rule of this.order) {
      if (reached[rule] === 0) continue;
      let atStart = true;
      for (let i = starts[rule]!; items[i] !== END; i++) {
        const item = items[i]!;
        if (item === ALTERNATIVE) {
          atStart = true;
          continue;
        }
        if (!atStart) continue;
        if (item === TERMINAL) ends[rule]!++;
        stacks[rule]!++;
        cells[rule]!++;
        atStart = item >= 0 && item !== rule && this.empty[item] === 1;
        if (item === TERMINAL) continue;
        const last = isLast(this.rules, i);
        if (item === rule) {
          if (!last) this.endless(rule, i);
          continue; // no longer stack than the one it comes from
        }
        ends[rule]! += ends[item]!;
        stacks[rule]! += stacks[item]!;
        cells[rule]! += cells[item]! + (last ? 0 : stacks[item]!);
      }
      const name = quoteName(names[rule]!);
      if (ends[rule] === 0 && this.empty[rule] === 0) {
        const got = "only references that lead back to it";
        this.refuse(mentions[rule]!, `rule ${name} to match something`, got);
      }
      if (ends[rule]! > MAX_STACKS || cells[rule]! > MAX_CELLS) {
        const known = ends[rule]! > MAX_STACKS && Number.isSafeInteger(ends[rule]);
        this.refuse(
          mentions[rule]!,
          `at most ${MAX_STACKS} ways for rule ${name} to begin`,
          known ? String(ends[rule]) : "far too many",
          "Give alternatives that begin alike one rule for what they share",
        );
      }
    }
  }

  /** Of rules that each begin with the next, and the last with the first. */
  private circle(visits: readonly Visit[]): never {
    const { offsets, names } = this.rules;
    const open = visits.find(({ plain, at }) => !plain && !isLast(this.rules, at));
    if (open !== undefined) this.endless(open.rule, open.at);
    const ids = visits.map(({ rule }) => rule);
    const offset = offsets[visits.at(-1)!.at]!;
    // Only the rule made for a repetition refers to itself, right after what it repeats.
    if (ids.every((id) => this.rules.isMade(id))) {
      const hint = `Repeat what is inside it instead: x* says what x?+ or (x | "")* would`;
      const expected = "a repeated item that always matches something";
      this.refuse(offset, expected, "one that may match nothing", hint);
    }
    const cycle = ids.filter((id) => !this.rules.isMade(id)).map((id) => quoteName(names[id]!));
    const shown = cycle.length > SHOWN_NAMES ? [...cycle.slice(0, SHOWN_NAMES), "…"] : cycle;
    const hint = `llama.cpp has no left recursion: write a ::= b ("+" b)* for a ::= a "+" b | b`;
    const expected = `rule ${cycle[0]} not to begin with itself`;
    this.refuse(offset, expected, [...shown, cycle[0]].join(" → "), hint);
  }

  private endless(rule: number, at: number): never {
    const { items, offsets, names } = this.rules;
    const expected = `rule ${quoteName(names[rule]!)} to match something before it comes back to itself`;
    const target = quoteName(names[items[at]!]!);
    const got = `${target} after nothing or only after what may match nothing`;
    this.refuse(offsets[at]!, expected, got, "llama.cpp would expand it without end");
  }

  private undefinedRule(id: number): never {
    const expected = `a definition of rule ${quoteName(this.rules.names[id]!)}`;
    this.refuse(this.rules.mentions[id]!, expected, "none");
  }

  private tooDeep(rule: number): never {
    const expected = `at most ${MAX_LEFT_DEPTH} rules that each begin with the next`;
    this.refuse(this.rules.mentions[rule]!, expected, "one more");
  }

  private tooManySteps(rule: number): never {
    const got = `too many from rule ${quoteName(this.rules.names[rule]!)}`;
    const hint = "Give alternatives that begin alike one rule for what they share";
    const expected = "fewer ways from a rule to those that it can begin with";
    this.refuse(this.rules.mentions[rule]!, expected, got, hint);
  }

  private refuse(offset: number, expected: string, got: string, hint?: string): never {
    return refuse(this.source, offset, expected, got, hint);
  }
}

/** Whether nothing of its alternative stays on the stack when the reference is expanded. */
function isLast(rules: GbnfRules, at: number): boolean {
  return rules.items[at + 1]! <= ALTERNATIVE;
}

function plainlyEmpty({ items, starts, count }: GbnfRules): Uint8Array {
  const empty = new Uint8Array(count);
  for (let id = 0; id < count; id++) {
    if (starts[id] === -1) continue;
    let previous = ALTERNATIVE;
    for (let i = starts[id]!; previous !== END; i++) {
      const item = items[i]!;
      if (previous === ALTERNATIVE && item <= ALTERNATIVE) empty[id] = 1;
      previous = item;
    }
  }
  return empty;
}
