import { Budget } from "../../lib/schema/language/budget.js";
import { matches } from "../../lib/schema/language/dfa.js";
import { numberLanguage } from "../../lib/schema/language/numbers.js";

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
