import type { Formula } from "./formula.js";
import { SchemaProblem } from "./schema-problem.js";

/** Formulas inside each other, in one place of a value: each takes some of the stack. */
const MAX_OPEN = 2_000;

/**
 * References are read when they are needed: here all of them are, so that none fails later, and none comes
 * back to itself without going into a value.
 */
export function followAll(root: Formula): void {
  const done = new Set<number>();
  const open = new Set<number>();
  const inside: Formula[] = [root];
  const follow = (formula: Formula): void => {
    if (done.has(formula.id)) return;
    if (open.has(formula.id)) {
      throw new SchemaProblem(formula.path, "the reference comes back to itself");
    }
    if (open.size >= MAX_OPEN) {
      throw new SchemaProblem(formula.path, "references lead to references too far");
    }
    open.add(formula.id);
    switch (formula.kind) {
      case "all":
      case "any":
      case "one":
        formula.parts.forEach(follow);
        break;
      case "not":
        follow(formula.part);
        break;
      case "ref":
        follow(formula.resolve());
        break;
      case "contains":
      case "names":
      case "unevaluated":
        inside.push(formula.part);
        break;
      case "items":
        inside.push(...formula.prefix, ...(formula.rest === undefined ? [] : [formula.rest]));
        break;
      case "properties":
        inside.push(...formula.named.values(), ...formula.patterns.map(([, part]) => part));
        if (formula.additional !== undefined) inside.push(formula.additional);
        break;
      default:
    }
    open.delete(formula.id);
    done.add(formula.id);
  };
  for (const formula of inside) follow(formula);
}
