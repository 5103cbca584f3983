import {
  type Definitions,
  sharedDefinitions,
  type WrittenGrammar,
} from "../../schema/gbnf-writer.js";
import { type Beginning, type Expression, type Rule, sizeOf } from "../../schema/grammar-rules.js";
import { MAX_CELLS, MAX_LEFT_DEPTH, MAX_LEFT_STEPS, MAX_STACKS } from "./gbnf-check.js";

/** How many rules are followed down at a time: most of what they lead to is known already. */
const MAX_FOLLOWED = 200;

/**
 * Whether it is certain that llama.cpp takes a grammar of ours, and survives it: told from the rules as
 * they were made, of shared ones once. Where it is not certain, `checkRules()` tells.
 */
export function isSurelyTaken({ definitions, shared }: WrittenGrammar): boolean {
  let steps = 0;
  for (const rule of shared) steps += stepsOfShared(rule);
  return steps + new BeginningCheck(definitions).steps() <= MAX_LEFT_STEPS;
}

const sharedSteps = new WeakMap<Rule, number>();

function stepsOfShared(rule: Rule): number {
  let steps = sharedSteps.get(rule);
  if (steps === undefined) {
    steps = new BeginningCheck(sharedDefinitions(rule)).steps();
    sharedSteps.set(rule, steps);
  }
  return steps;
}

/** Not certain to be taken. */
class Uncertain extends Error {}

const TERMINAL: Beginning = { empty: false, depth: 0, steps: 0, ends: 1, stacks: 0, cells: 0 };

/** Follows what rules begin with, as `checkRules()` does; counts no less than that. */
class BeginningCheck {
  readonly #definitions: Definitions;
  readonly #open = new Set<Rule>();
  /** Groups, which llama.cpp makes rules of: what they lead to may not be known yet. */
  readonly #groups: Expression[] = [];
  #steps = 0;

  constructor(definitions: Definitions) {
    this.#definitions = definitions;
  }

  /** All that llama.cpp makes at most, to find out whether rules begin with themselves; Infinity: not known. */
  steps(): number {
    try {
      // What a rule begins with mostly comes behind it.
      for (const rule of [...this.#definitions.keys()].reverse()) {
        this.#steps += this.#ofRule(rule).steps;
      }
      for (const group of this.#groups) this.#steps += this.#of(group).steps;
      return this.#steps;
    } catch (error) {
      if (error instanceof Uncertain) return Number.POSITIVE_INFINITY;
      throw error;
    }
  }

  #ofRule(rule: Rule): Beginning {
    let beginning = rule.beginning;
    if (beginning === undefined) {
      const definition = this.#definitions.get(rule);
      if (definition === undefined || this.#open.has(rule) || this.#open.size > MAX_FOLLOWED) {
        throw new Uncertain();
      }
      this.#open.add(rule);
      beginning = this.#of(definition);
      this.#open.delete(rule);
      rule.beginning = beginning;
    }
    return beginning;
  }

  #of(definition: Expression): Beginning {
    const sum = { empty: false, depth: 1, steps: 1, ends: 0, stacks: 0, cells: 0 };
    if (definition.kind === "choice") for (const way of definition.parts) this.#addWay(way, sum);
    else this.#addWay(definition, sum);
    const nothing = sum.ends === 0 && !sum.empty;
    const large = sum.depth > MAX_LEFT_DEPTH || sum.ends > MAX_STACKS || sum.cells > MAX_CELLS;
    if (nothing || large) throw new Uncertain();
    return sum;
  }

  /** One of the alternatives of a rule. */
  #addWay(way: Expression, sum: Sum): void {
    const parts = way.kind === "sequence" ? way.parts : [way];
    let atStart = true;
    sum.steps++;
    for (const [index, part] of parts.entries()) {
      sum.steps += sizeOf(part);
      if (part.kind === "choice") this.#groups.push(part);
      else if (part.kind === "upTo") this.#steps += part.most * (3 + this.#ofPart(part.part).steps);
      if (!atStart) continue;
      const { empty, depth, steps, ends, stacks, cells } = this.#ofPart(part);
      sum.depth = Math.max(sum.depth, depth + 1);
      sum.steps += steps;
      sum.ends += ends;
      sum.stacks += stacks + 1;
      sum.cells += cells + 1 + (index === parts.length - 1 ? 0 : stacks);
      atStart = empty;
    }
    if (atStart) sum.empty = true;
  }

  #ofPart(part: Expression): Beginning {
    switch (part.kind) {
      case "text":
      case "set":
        return TERMINAL;
      case "rule":
        return this.#ofRule(part.rule);
      case "upTo": {
        // A rule for each count: the part and the rule of the next lower count, or nothing.
        const { empty, depth, steps, ends, stacks, cells } = this.#ofPart(part.part);
        if (empty) throw new Uncertain();
        return {
          ...{ empty: true, depth: depth + 1, steps: steps + 3, ends },
          ...{ stacks: stacks + 1, cells: cells + stacks + 1 },
        };
      }
      default:
        return this.#of(part);
    }
  }
}

type Sum = { -readonly [K in keyof Beginning]: Beginning[K] };
