import { CriaError } from "../../lib/index.js";
import { expected, fromNative, originAt, show } from "../../lib/internal/errors.js";

const hostile = new Proxy(
  {},
  {
    get: () => {
      throw new Error("get");
    },
    getPrototypeOf: () => {
      throw new Error("getPrototypeOf");
    },
  },
);

test("CriaError has a code, a name, details and a cause", () => {
  const cause = new Error("below");
  const error = new CriaError("ERR_UNSUPPORTED", "no", { details: { a: 1 }, cause });
  expect(error).toBeInstanceOf(Error);
  expect(error).toMatchObject({
    name: "CriaError",
    code: "ERR_UNSUPPORTED",
    details: { a: 1 },
    cause,
  });
  expect(String(error)).toBe("CriaError: no");
  expect("cause" in new CriaError("ERR_INTERNAL", "no")).toBe(false);
});

test("CriaError.is knows its own, and asks no proxy", () => {
  expect(CriaError.is(new CriaError("ERR_INTERNAL", "own"))).toBe(true);
  for (const value of [
    null,
    undefined,
    "ERR_INTERNAL",
    new Error("x"),
    { code: "ERR_INTERNAL" },
    hostile,
  ]) {
    expect(CriaError.is(value)).toBe(false);
  }
});

test("fromNative keeps code and message, and shows the stack of the caller", () => {
  function called() {
    return fromNative({ code: "ERR_MODEL_INVALID", message: "bad magic" }, originAt(called));
  }
  const [error, here] = [called(), new Error()];
  expect(error).toMatchObject({ code: "ERR_MODEL_INVALID", message: "bad magic" });
  const place = (frame: string | undefined) => /errors\.test\.ts:\d+/.exec(frame ?? "")?.[0];
  expect(error.stack?.split("\n")[0]).toBe("CriaError: bad magic");
  expect(place(error.stack?.split("\n")[1])).toBe(place(here.stack?.split("\n")[1]));
  expect(fromNative(new Error("unknown"))).toMatchObject({
    code: "ERR_INTERNAL",
    message: "unknown",
  });
  expect(fromNative({ code: "EPERM" }).code).toBe("ERR_INTERNAL");
});

test("expected says what was wanted, where, and what came", () => {
  expect(expected("a number", "x", "1")).toMatchObject({
    code: "ERR_INVALID_ARGUMENT",
    message: 'Expected a number for `x`, got "1"',
    details: { name: "x" },
  });
});

test.each<[unknown, string]>([
  [null, "null"],
  [undefined, "undefined"],
  [-0, "-0"],
  [Number.NaN, "NaN"],
  [2n ** 64n, "18446744073709551616n"],
  [true, "true"],
  [Symbol("s"), "Symbol(s)"],
  ["a\nb", '"a\\nb"'],
  ["y".repeat(100), `"${"y".repeat(60)}"… (100 characters)`],
  [() => 1, "a function"],
  [[1, 2], "an array of length 2"],
  [{}, "an object"],
  [Object.create(null), "an object"],
  [new Map(), "an instance of Map"],
  [hostile, "an object"],
])("show(%#) is %s", (value, text) => {
  expect(show(value)).toBe(text);
});
