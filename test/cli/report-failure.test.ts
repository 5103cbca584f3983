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
