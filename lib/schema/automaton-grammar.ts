import {
  choice,
  defineState,
  type Expression,
  type GrammarRules,
  type Rule,
  sequence,
  sequenceOf,
  upTo,
  use,
} from "./grammar-rules.js";
import { TooManyStates } from "./language/budget.js";
import type { CharSet } from "./language/char-set.js";
import { edgesOf } from "./language/dfa.js";
import { type Run, runsOf } from "./language/runs.js";
import type { Counted } from "./language/text-lengths.js";
import type { Repetitions } from "./repetitions.js";

/** States of an automaton, times the lengths that they are told apart by. */
const MAX_PLACES = 20_000;
/** A shorter run of characters is no shorter to write. */
const MIN_RUN = 3;

interface Place {
  readonly state: number;
  /** The characters before it, as far as they count. */
  readonly length: number;
}

/**
 * The texts of an automaton with something behind each: a rule for every state (and length), so that at
 * each character there is but one way on.
 */
export class AutomatonGrammar {
  readonly #rules: GrammarRules;
  readonly #repetitions: Repetitions;
  readonly #spell: (set: CharSet) => Expression;

  constructor(rules: GrammarRules, repetitions: Repetitions, spell: (set: CharSet) => Expression) {
    this.#rules = rules;
    this.#repetitions = repetitions;
    this.#spell = spell;
  }

  /** @throws {TooManyStates} */
  expression({ dfa, min, max }: Counted, end: Expression, most = MAX_PLACES): Expression {
    const edges = edgesOf(dfa);
    // Longer texts would have more places than there may be.
    const cap = Math.min(max ?? min, most);
    const places: Place[] = [{ state: 0, length: 0 }];
    const known = new Map<number, number>([[0, 0]]);
    const ways: (readonly (readonly [place: number, set: CharSet])[])[] = [];
    const arrivals = [0];
    const counting = min > 0 || max !== undefined;
    const isLoop = (state: number) =>
      counting &&
      dfa.accepting[state] === 1 &&
      edges[state]!.length === 1 &&
      edges[state]![0]![0] === state;
    for (const { state, length } of places) {
      const full = max !== undefined && length >= max;
      const targets = full || isLoop(state) ? [] : edges[state]!;
      ways.push(
        targets.map(([target, characters]) => {
          const next = { state: target, length: Math.min(length + 1, cap) };
          const key = next.state * (cap + 1) + next.length;
          let place = known.get(key);
          if (place === undefined) {
            if (counting && places.length >= most)
              throw new TooManyStates(`more than ${most} states`);
            place = places.push(next) - 1;
            known.set(key, place);
            arrivals.push(0);
          }
          arrivals[place] = arrivals[place]! + 1;
          return [place, characters] as const;
        }),
      );
    }
    const ending = (place: number): Expression[] => {
      const { state, length } = places[place]!;
      if (isLoop(state)) {
        const part = this.#spell(edges[state]![0]![1]);
        const most = max === undefined ? undefined : max - length;
        return [this.#repetitions.of(part, Math.max(min - length, 0), most, end)];
      }
      return dfa.accepting[state] === 1 && length >= min ? [end] : [];
    };
    const made = new Map<number, Rule>();
    const waiting: number[] = [];
    const ruleOf = (place: number) => {
      let rule = made.get(place);
      if (rule === undefined) {
        rule = this.#rules.declare("then");
        made.set(place, rule);
        waiting.push(place);
      }
      return rule;
    };
    /** What follows, without a rule where only one way leads to a place and one from it. */
    const after = (first: number): Expression => {
      const parts: Expression[] = [];
      let place = first;
      while (arrivals[place] === 1) {
        const run = runAt(place);
        if (run !== undefined) return sequenceOf([...parts, run]);
        const ends = ending(place);
        if (ways[place]!.length + ends.length !== 1) break;
        const [way] = ways[place]!;
        if (way === undefined) return sequenceOf([...parts, ends[0]!]);
        parts.push(this.#spell(way[1]));
        place = way[0];
      }
      return sequenceOf([...parts, use(ruleOf(place))]);
    };
    const runs = counting ? [] : runsOf(dfa);
    const runAt = (place: number): Expression | undefined => {
      const run: Run | undefined = runs[places[place]!.state];
      if (run === undefined || run.most < MIN_RUN) return undefined;
      const part = this.#spell(run.set);
      // A choice would have to be a group.
      if (part.kind !== "set" && part.kind !== "rule") return undefined;
      return sequence(upTo(run.most, part), use(ruleOf(known.get(run.target)!)));
    };
    const first = ruleOf(0);
    for (const place of waiting) {
      const rule = made.get(place)!;
      const run = runAt(place);
      if (run !== undefined) {
        rule.definition = run;
        rule.matches = true;
        continue;
      }
      const next: Expression[] = [];
      for (const [target, set] of ways[place]!) {
        next.push(sequence(this.#spell(set), after(target)));
      }
      next.push(...ending(place));
      // Where characters are counted, some places may lead nowhere.
      if (counting || next.length === 0) rule.definition = choice(...next);
      else defineState(rule, next);
    }
    return arrivals[0] === 0 ? first.definition! : use(first);
  }
}
