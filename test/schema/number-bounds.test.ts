import { Budget } from "../../lib/schema/language/budget.js";
import { matches } from "../../lib/schema/language/dfa.js";
import { type NumberRules, numberLanguage } from "../../lib/schema/language/numbers.js";
import { Random } from "../support/random.js";

const BOUNDS = [
  undefined,
  -1000,
  -129,
  -100,
  -99,
  -10,
  -9,
  -1,
  0,
  1,
  9,
  10,
  11,
  99,
  100,
  128,
  1000,
];
const VALUES = Array.from({ length: 2_500 }, (_, i) => i - 1_250);
const NONE = { multipleOf: [], notMultipleOf: [], not: [] };
const ANY = { kind: "any", ...NONE } as const;

test("integers between any two bounds, and no others", () => {
  for (const minimum of BOUNDS) {
    for (const maximum of BOUNDS) {
      const bounds = {
        ...(minimum === undefined ? {} : { minimum }),
        ...(maximum === undefined ? {} : { maximum }),
      };
      const dfa = numberLanguage({ kind: "integer", ...bounds, ...NONE }, new Budget());
      const wrong = VALUES.filter((value) => {
        const inside = value >= (minimum ?? -Infinity) && value <= (maximum ?? Infinity);
        return matches(dfa, String(value)) !== inside;
      });
      expect({ bounds, wrong }).toEqual({ bounds, wrong: [] });
      for (const text of ["", "-", "-0", "00", "01", "1.0", "1e1", "+1"]) {
        expect({ bounds, text, taken: matches(dfa, text) }).toEqual({ bounds, text, taken: false });
      }
    }
  }
});

test("integers have up to 21 digits", () => {
  const dfa = numberLanguage({ kind: "integer", minimum: 7, ...NONE }, new Budget());
  expect(matches(dfa, "9".repeat(21))).toBe(true);
  expect(matches(dfa, "1".repeat(22))).toBe(false);
});

test("numbers around 0 are within their bounds, however they are written", () => {
  const dfa = numberLanguage({ kind: "any", minimum: -0.25, maximum: 12.5, ...NONE }, new Budget());
  for (const text of [
    "0",
    "-0",
    "-0.25",
    "-0.250",
    "0.0",
    "12.5",
    "12.4999",
    "9",
    "1e-7",
    "-1.5E-9",
  ]) {
    expect([text, matches(dfa, text)]).toEqual([text, true]);
  }
  for (const text of ["-0.26", "-1", "12.51", "13", "20", "100", "1e21", "-1e308", "0012", ""]) {
    expect([text, matches(dfa, text)]).toEqual([text, false]);
  }
});

test.each<[NumberRules, readonly string[], readonly string[]]>([
  [{ ...ANY, minimum: 1e-8 }, ["1e-8", "1.5E-08", "1e-7", "0.1", "1e21"], ["9e-9", "1e-9", "0"]],
  [{ ...ANY, maximum: -1e-8 }, ["-1e-8", "-2.5e-7", "-1e300"], ["-9.99e-9", "-0", "1e-7"]],
  [{ ...ANY, exclusiveMinimum: 0 }, ["5e-324", "1e-07", "3"], ["0", "0.0", "-5e-324"]],
  [{ ...ANY, minimum: 5e-324 }, ["5e-324", "1e-323", "1e22"], ["0", "-1"]],
  [{ ...ANY, maximum: 1e22 }, ["1e22", "1e+21", "9.99E21", "5e-7"], ["1.01e22", "1e23", "1e308"]],
  [{ ...ANY, minimum: 1.23456789e307 }, ["1.23456789e307", "9e+307", "1e308"], ["1.2e307", "5"]],
  [{ ...ANY, minimum: 1e308 }, ["1e308", "1.7e+308"], ["9.9e307", "1.8e308", "9e308", "1"]],
  [{ ...ANY, minimum: -1e300, maximum: 1e300 }, ["-1e300", "1e300", "7"], ["1e301", "-1.1e300"]],
  [
    { ...ANY, exclusiveMaximum: Number.MAX_VALUE },
    ["1.7e308", "1000000000"],
    ["1.7976931348623157e308"],
  ],
  [{ ...ANY, not: [1e-7] }, ["1.1e-7", "9e-8", "10000000"], ["1e-7", "1.0E-07", "0.0000001"]],
  [
    { ...ANY, kind: "fraction" },
    ["1234567.5", "1.000000000003", "-0.5", "99999999999999.7", "1e-7", "2.90", "0.9999999999999"],
    ["1", "1.0", "1.00000000000000000000003", "0.99999999999999999999", "-7", "123456789012345.01"],
  ],
  [
    { ...ANY, kind: "fraction", exclusiveMinimum: 1_000_000, exclusiveMaximum: 1_000_001 },
    ["1000000.5", "1000000.0625"],
    ["1000000", "1000001", "1000001.5", "1000000.0"],
  ],
])("%j", (rules, inside, outside) => {
  const dfa = numberLanguage(rules, new Budget());
  for (const text of inside) expect([text, matches(dfa, text)]).toEqual([text, true]);
  for (const text of outside) expect([text, matches(dfa, text)]).toEqual([text, false]);
});

/** Of doubles of all sizes, and of those that are written in another way. */
class Numbers {
  readonly #random = new Random(11);
  readonly #float = new Float64Array(1);
  readonly #bits = new BigUint64Array(this.#float.buffer);

  /** From 0 on, below 1. */
  #part(): number {
    return this.#random.below(2 ** 20) / 2 ** 20;
  }

  any(): number {
    const random = this.#random;
    const sizes = [() => 600, () => 40, () => 4];
    const wide = random.pick(sizes)();
    const value = (this.#part() - 0.5) * 10 ** Math.floor((this.#part() - 0.5) * wide);
    const edges = [0, 1e-7, 1e-6, 9.99e-7, 1e20, 1e21, 1e22, 1e-323, 1e307, 123456789012345.5];
    return random.pick([
      () => value,
      () => random.pick(edges),
      () => Math.round(value * 100) / 100,
    ])();
  }

  /** One of the next few doubles. */
  near(value: number): number {
    this.#float[0] = value;
    this.#bits[0] = BigInt.asUintN(64, this.#bits[0]! + BigInt(Math.floor(this.#part() * 5) - 2));
    return Number.isFinite(this.#float[0]) ? this.#float[0] + 0 : value;
  }

  rules(): NumberRules {
    const random = this.#random;
    const [low, high] = [this.any(), this.any()].sort((a, b) => a - b) as [number, number];
    return {
      ...ANY,
      kind: random.pick(["any", "fraction"]),
      ...(this.#part() < 0.7 && { [random.pick(["minimum", "exclusiveMinimum"])]: low }),
      ...(this.#part() < 0.7 && { [random.pick(["maximum", "exclusiveMaximum"])]: high }),
      not: this.#part() < 0.2 ? [this.any()] : [],
    };
  }

  /** As JSON.stringify() writes it, and in another way. */
  texts(value: number): string[] {
    const text = JSON.stringify(value);
    if (text.includes("e")) return [text, text.replace(/e([+-])(\d)$/, "E$10$2")];
    const digits = String(Math.floor(this.#part() * 1e6)).padStart(
      14,
      this.#random.pick(["0", "9"]),
    );
    return [text, text.includes(".") ? text + digits : `${text}.${digits}`];
  }
}

test("numbers of all sizes are on the right side of any bounds", () => {
  const numbers = new Numbers();
  const wrong: unknown[] = [];
  const missed: unknown[] = [];
  for (let i = 0; i < 150; i++) {
    const rules = numbers.rules();
    const dfa = numberLanguage(rules, new Budget());
    const { minimum = -Infinity, maximum = Infinity, not } = rules;
    const { exclusiveMinimum = -Infinity, exclusiveMaximum = Infinity } = rules;
    const edges = [minimum, maximum, exclusiveMinimum, exclusiveMaximum, ...not];
    const values = [
      ...Array.from({ length: 10 }, () => numbers.any()),
      ...edges.filter(Number.isFinite).flatMap((edge) => [edge, numbers.near(edge)]),
    ];
    for (const value of values) {
      for (const [index, text] of numbers.texts(value).entries()) {
        const read = Number(text);
        const fits =
          read >= minimum &&
          read <= maximum &&
          read > exclusiveMinimum &&
          read < exclusiveMaximum &&
          !not.includes(read) &&
          (rules.kind === "any" || !Number.isInteger(read));
        const taken = matches(dfa, text);
        if (taken && !fits) wrong.push([rules, text]);
        // Nothing is promised of fractions that are as good as integers.
        const distance = Math.abs(value - Math.round(value));
        const near = distance <= Math.max(Math.abs(value) * 1e-12, Number.MIN_VALUE);
        const promised = rules.kind === "any" || !near;
        if (!taken && fits && index === 0 && promised) missed.push([rules, text]);
      }
    }
  }
  expect({ wrong, missed }).toEqual({ wrong: [], missed: [] });
});
