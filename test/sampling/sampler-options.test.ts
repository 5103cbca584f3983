import { CriaError, Sampler, type SamplerOptions, type SamplerStep } from "../../lib/index.js";

const notNumbers = [Number.NaN, "0.5", null, {}, [1], 1n, true, Infinity, -Infinity];
const notIntegers = [...notNumbers, 1.5];
const notObjects = [null, 1, "x", true, [], () => {}, new Map(), new Date()];
const missing = [undefined];

const throwing = new Proxy([], {
  get: () => {
    throw new Error("get");
  },
});

interface Field {
  good: readonly unknown[];
  bad: readonly unknown[];
}

const number = (min: number, max: number, step = 0.01): Field => ({
  good: [min, (min + max) / 2, max],
  bad: [...notNumbers, min - step, max + step],
});
const integer = (min: number, max: number): Field => ({
  good: [min, max],
  bad: [...notIntegers, min - 1, max + 1],
});
const required = ({ good, bad }: Field): Field => ({ good, bad: [...bad, ...missing] });
const lastN = integer(0, 1_048_576);
const minKeep = integer(1, 2 ** 31 - 1);
const breakers: Field = {
  good: [[], ["\n"], ["é".repeat(20)], Array(100).fill("x")],
  bad: [
    ...[null, "x", {}, 5, Array(101).fill("x"), Array(2 ** 32 - 1), throwing],
    ...["", 1, null, "x".repeat(41), "é".repeat(21), "a\0b", "\ud800"].map((text) => [text]),
  ],
};

const dynamicTemperature = { range: required(number(0, 1000)), exponent: number(0, 100) };
const xtc = { probability: required(number(0, 1)), threshold: number(0, 1) };
const mirostat = {
  version: { good: [1, 2], bad: [0, 3, "1", null, 1.5, ...missing] },
  tau: number(0, 100),
  eta: number(0, 10),
};
const adaptiveP = { target: required(number(0, 1)), decay: number(0, 0.99) };
const dry = {
  multiplier: required(number(0, 100)),
  base: number(1, 100),
  allowedLength: lastN,
  lastN,
  breakers,
};
const penalties = {
  lastN,
  repeat: number(0.01, 100, 0.001),
  frequency: number(-100, 100),
  presence: number(-100, 100),
};

function outcome(action: () => unknown): unknown {
  try {
    return action();
  } catch (error) {
    return error;
  }
}

/** `make` is given each field's values in turn, beside a value that is right for the others. */
function checkFields(
  fields: Record<string, Field>,
  names: (field: string) => string,
  make: (values: Record<string, unknown>) => unknown,
): void {
  const right = Object.fromEntries(
    Object.entries(fields).map(([field, { good }]) => [field, good[0]]),
  );
  for (const [field, { good, bad }] of Object.entries(fields)) {
    for (const [index, value] of good.entries()) {
      expect([field, index, outcome(() => make({ ...right, [field]: value }))]).not.toEqual([
        ...[field, index, expect.any(CriaError)],
      ]);
    }
    for (const [index, value] of bad.entries()) {
      expect([field, index, outcome(() => make({ ...right, [field]: value }))]).toEqual([
        field,
        index,
        expect.objectContaining({
          code: "ERR_INVALID_ARGUMENT",
          message: expect.stringContaining(names(field)),
        }),
      ]);
    }
  }
  expect(() => make({ ...right, "no such": 1 })).toThrow(/Unknown option "no such"/);
}

describe("options", () => {
  const make = (options: unknown) => new Sampler(options as SamplerOptions);

  test("that are numbers", () => {
    const fields = { typicalP: number(0, 1), topNSigma: number(0, 100) };
    checkFields(fields, (field) => `options.${field}`, make);
  });

  test.each([
    ["dynamicTemperature", dynamicTemperature],
    ["xtc", xtc],
    ["mirostat", mirostat],
    ["adaptiveP", adaptiveP],
    ["dry", dry],
    ["penalties", penalties],
  ] as [string, Record<string, Field>][])("%s", (option, fields) => {
    checkFields(
      fields,
      (field) => `options.${option}.${field}`,
      (values) => make({ [option]: values }),
    );
    for (const value of notObjects) {
      expect(() => make({ [option]: value })).toThrow(`options.${option}`);
    }
    expect(make({ [option]: undefined }).steps).toEqual(new Sampler().steps);
  });

  test("are copied, breakers too", () => {
    const breakers = ["."];
    const sampler = new Sampler({ dry: { multiplier: 1, breakers } });
    breakers.push("!");
    expect(sampler.steps[0]).toMatchObject({ type: "dry", breakers: ["."] });
    expect(Object.isFrozen((sampler.steps[0] as { breakers?: unknown }).breakers)).toBe(true);
  });
});

test.each([
  ["temperature", { value: required(number(0, 1000)) }],
  ["dynamic-temperature", { value: required(number(0, 1000)), ...dynamicTemperature }],
  ["top-k", { value: required(integer(0, 2 ** 31 - 1)) }],
  ["top-p", { value: required(number(0, 1)), minKeep }],
  ["min-p", { value: required(number(0, 1)), minKeep }],
  ["typical-p", { value: required(number(0, 1)), minKeep }],
  ["top-n-sigma", { value: required(number(0, 100)) }],
  ["xtc", { ...xtc, minKeep }],
  ["mirostat", { ...mirostat, candidates: integer(2, 1e6) }],
  ["adaptive-p", adaptiveP],
  ["penalties", penalties],
  ["dry", dry],
  ["greedy", {}],
  ["dist", {}],
] as [string, Record<string, Field>][])("the step %s", (type, fields) => {
  const selects = ["greedy", "dist", "mirostat", "adaptive-p"].includes(type);
  const make = (values: object) => {
    const step = { type, ...values } as SamplerStep;
    return Sampler.chain(selects ? [step] : [step, { type: "dist" }]);
  };
  checkFields(fields, (field) => `steps[0].${field}`, make);
});
