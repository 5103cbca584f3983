import { describe as describeFailure } from "../../lib/cli/report-failure.js";
import { CriaError } from "../../lib/index.js";

const told = (message: string) => describeFailure(new CriaError("ERR_INVALID_ARGUMENT", message));

test.each([
  ["give `options.variant` if you know", /give --guard-variant \(of moderate --variant\) if/],
  ["`resume` goes on with it, `overwrite` replaces it", /: --resume goes .*, --overwrite replaces/],
  ["`options.maxTokens` was 20", /: --max-tokens was 20/],
])("%s is told with flags", (message, words) => {
  expect(told(message)).toMatch(words);
});

test("what is no option of the program's stays as it is", () => {
  const message = "Expected an object for `options.sampling`, got `constructor`";
  expect(told(message)).toBe(`cria: ${message} [ERR_INVALID_ARGUMENT]`);
});

test("what a message quotes does nothing to the terminal; its lines stay lines", () => {
  expect(told("got \u001b]0;owned\u0007\u009b2J\r\u202e\n\tand more")).toBe(
    "cria: got \\u001b]0;owned\\u0007\\u009b2J\\r\\u202e\n\tand more [ERR_INVALID_ARGUMENT]",
  );
  expect(describeFailure(new Error("\u001b[2J"))).toBe("cria: \\u001b[2J");
});
