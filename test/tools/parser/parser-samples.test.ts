import type { ParsedToolCalls, ParseToolCallsOptions } from "../../../lib/messages/tool-types.js";
import { parseToolCalls, ToolCallParser } from "../../../lib/tools/parser/tool-call-parser.js";
import { gather, optionsOf, type Sample, samples } from "../../support/tool-calls.js";

/** What the sample expects, in the parser's own shape. */
function expectedOf({ content, calls }: Sample): ParsedToolCalls {
  return {
    content,
    toolCalls: calls.map(({ format, name, arguments: text, known, problem, source }, index) => ({
      id: `call_${index}`,
      type: "function",
      function: { name, arguments: text },
      format,
      known: known ?? true,
      ...(problem === undefined ? {} : { problem: expect.stringContaining(problem) as string }),
      ...(source === undefined ? {} : { source }),
    })),
  };
}

function inPieces(pieces: readonly string[], options: ParseToolCallsOptions): ParsedToolCalls {
  const parser = new ToolCallParser(options);
  return gather([...pieces.flatMap((piece) => parser.push(piece)), ...parser.finish()]);
}

test("there are enough samples, each with a name of its own", () => {
  expect(samples.length).toBeGreaterThanOrEqual(200);
  expect(new Set(samples.map(({ name }) => name)).size).toBe(samples.length);
});

describe.each(samples.map((sample) => [sample.name, sample] as const))("%s", (_, sample) => {
  const { input } = sample;
  const options = optionsOf(sample);

  test("at once", () => {
    expect(parseToolCalls(input, options)).toEqual(expectedOf(sample));
  });

  test("in any two pieces, and character by character", () => {
    const whole = parseToolCalls(input, options);
    for (let cut = 0; cut <= input.length; cut++) {
      expect(inPieces([input.slice(0, cut), input.slice(cut)], options)).toEqual(whole);
    }
    expect(inPieces(input.split(""), options)).toEqual(whole);
  });

  test("arguments are a JSON object", () => {
    for (const call of parseToolCalls(input, options).toolCalls) {
      expect(JSON.parse(call.function.arguments)).toEqual(expect.any(Object));
    }
  });
});
