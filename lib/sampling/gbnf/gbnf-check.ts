import { type GbnfProblem, gbnfError, quoteName } from "./gbnf-error.js";
import { expansionProblem } from "./gbnf-expansion.js";
import { END, type GbnfRules } from "./gbnf-rules.js";
import { leftEdges, plainlyEmpty } from "./left-edges.js";

/** llama.cpp's check for left recursion is recursive, 136 bytes a rule; x{0,2000} may go 2000 deep. */
const MAX_LEFT_DEPTH = 2500;
/** Elements it visits on the way, again for every way to reach a rule: a few seconds' worth. */
const MAX_LEFT_STEPS = 1_000_000_000;

const SHOWN_NAMES = 5;

/** Throws for what llama.cpp refuses, or does not survive, in rules that are each well formed. */
export function checkRules(source: string, rules: GbnfRules, root: string): void {
  const problem =
    rootProblem(rules, root) ??
    undefinedProblem(rules) ??
    leftRecursionProblem(rules) ??
    expansionProblem(rules, rules.find(root)!);
  if (problem !== undefined) throw gbnfError(source, problem);
}

function rootProblem(rules: GbnfRules, root: string): GbnfProblem | undefined {
  const id = rules.find(root);
  if (id !== undefined && rules.isDefined(id)) return undefined;
  const names: string[] = [];
  for (let other = 0; other < rules.count && names.length < SHOWN_NAMES; other++) {
    if (rules.isDefined(other) && !rules.isMade(other)) names.push(quoteName(rules.names[other]!));
  }
  return {
    offset: 0,
    expected: `a rule named ${quoteName(root)} to start with`,
    got: names.length === 0 ? "no rules" : `the rules ${names.join(", ")}`,
  };
}

/**
 * A reference without its rule. llama.cpp also refuses a name that only a replaced definition or an
 * item repeated {0} times mentioned, unless no rule came after it.
 */
function undefinedProblem(rules: GbnfRules): GbnfProblem | undefined {
  let defined = rules.count;
  while (defined > 0 && !rules.isDefined(defined - 1)) defined--;
  for (let id = 0; id < defined; id++) {
    if (!rules.isDefined(id)) return noDefinition(rules, id);
    for (let i = rules.starts[id]!; rules.items[i] !== END; i++) {
      const item = rules.items[i]!;
      if (item >= 0 && !rules.isDefined(item)) return noDefinition(rules, item);
    }
  }
  return undefined;
}

function noDefinition(rules: GbnfRules, id: number): GbnfProblem {
  return {
    offset: rules.mentions[id]!,
    expected: `a definition of rule ${quoteName(rules.names[id]!)}`,
    got: "none",
  };
}

const NEW = 0;
const OPEN = 1;
const DONE = 2;

/**
 * A cycle of the rules that rules begin with, seen as llama.cpp sees it: in all rules, used or not,
 * and with only those rules known to be empty that have an alternative of no items.
 */
function leftRecursionProblem(rules: GbnfRules): GbnfProblem | undefined {
  const edges = leftEdges(rules, plainlyEmpty(rules));
  const next = edges.first.slice();
  const state = new Uint8Array(rules.count);
  const depth = new Int32Array(rules.count).fill(1);
  const steps = Float64Array.from(rules.sizes);
  let allSteps = 0;
  for (let start = 0; start < rules.count; start++) {
    if (state[start] !== NEW) continue;
    const path = [start];
    for (let rule: number | undefined = start; rule !== undefined; rule = path.at(-1)) {
      state[rule] = OPEN;
      const edge: number = next[rule]!;
      if (edge === edges.first[rule + 1]) {
        if (depth[rule]! > MAX_LEFT_DEPTH) return tooDeep(rules, rule);
        state[rule] = DONE;
        path.pop();
        continue;
      }
      const target: number = edges.targets[edge]!;
      if (state[target] === OPEN) {
        return leftRecursion(rules, path.slice(path.indexOf(target)), edges.origins[edge]!);
      }
      if (state[target] === NEW) {
        path.push(target);
      } else {
        depth[rule] = Math.max(depth[rule]!, depth[target]! + 1);
        steps[rule] = steps[rule]! + steps[target]!;
        next[rule] = edge + 1;
      }
    }
    // What it reached is checked with it and not again, as in llama.cpp.
    allSteps += steps[start]!;
    if (allSteps > MAX_LEFT_STEPS) return tooManySteps(rules, start);
  }
  return undefined;
}

function leftRecursion(rules: GbnfRules, cycle: readonly number[], origin: number): GbnfProblem {
  const offset = rules.offsets[origin]!;
  // Only the rule made for a repetition refers to itself, right after what it repeats.
  if (cycle.every((id) => rules.isMade(id))) {
    return {
      offset,
      expected: "a repeated item that always matches something",
      got: "one that may match nothing",
      hint: `Repeat what is inside it instead: x* says what x?+ or (x | "")* would`,
    };
  }
  const names = cycle.filter((id) => !rules.isMade(id)).map((id) => quoteName(rules.names[id]!));
  const shown = names.length > SHOWN_NAMES ? [...names.slice(0, SHOWN_NAMES), "…"] : names;
  return {
    offset,
    expected: `rule ${names[0]} not to begin with itself`,
    got: [...shown, names[0]].join(" → "),
    hint: `llama.cpp has no left recursion: write a ::= b ("+" b)* for a ::= a "+" b | b`,
  };
}

function tooDeep(rules: GbnfRules, rule: number): GbnfProblem {
  return {
    offset: rules.mentions[rule]!,
    expected: `at most ${MAX_LEFT_DEPTH} rules that each begin with the next`,
    got: "one more",
  };
}

function tooManySteps(rules: GbnfRules, rule: number): GbnfProblem {
  return {
    offset: rules.mentions[rule]!,
    expected: "few ways from a rule to those that it can begin with",
    got: `too many from rule ${quoteName(rules.names[rule]!)}`,
    hint: "Give alternatives that begin alike one rule for what they share",
  };
}
