// Text that may hold tool calls, of any kind and cut anywhere: the parser never throws, says the same
// however the text is cut, takes nothing of the content away but syntax, and gives calls that can be
// used.
import { readFileSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { parseToolCalls, ToolCallParser } from "../../dist/index.js";
import { demandCode, fuzz } from "./runner.mjs";

const { toolSets, samples } = JSON.parse(
  readFileSync(new URL("../fixtures/tool-calls.json", import.meta.url), "utf8"),
);
const tools = Object.values(toolSets);

const marks = [
  ..."{}[]()<>|`'\"\\/:;,.=_-+019 \n\t\raefgnrtux#é🦙\0\ud800\udc00\u2028",
  ...[
    "<|python_tag|>",
    "<|eom_id|>",
    "<|eot_id|>",
    "<function=",
    "</function>",
    "```",
    "```json\n",
  ],
  ...['{"name": "', '", "parameters": {', '"arguments": {', '"""', "get_time()", "[f(a=", "null"],
  ...[
    "\\u",
    "\\ud83e",
    "\\ud83e\\udd99",
    "1e999",
    "-0",
    "[[[[",
    "]]]]",
    "<tool_call>",
    "\n\n",
    "; ",
  ],
];
const piece = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...marks) },
  { weight: 2, arbitrary: fc.constantFrom(...samples.map(({ input }) => input)) },
  { weight: 1, arbitrary: fc.json() },
  { weight: 1, arbitrary: fc.string({ unit: "binary", maxLength: 12 }) },
);
/** Pieces in a row, then some of it cut out or doubled. */
const text = fc
  .tuple(
    fc.array(piece, { maxLength: 24 }),
    fc.array(fc.tuple(fc.nat(400), fc.nat(12), fc.boolean()), { maxLength: 4 }),
  )
  .map(([pieces, edits]) =>
    edits.reduce((whole, [at, length, doubled]) => {
      const from = whole.length === 0 ? 0 : at % whole.length;
      const part = whole.slice(from, from + length);
      return whole.slice(0, from) + (doubled ? part + part : "") + whole.slice(from + length);
    }, pieces.join("")),
  );
const options = fc.record({
  tools: fc.constantFrom(...tools),
  coerce: fc.boolean(),
  builtinTools: fc.constantFrom([], ["brave_search"]),
});
const sizes = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 8 });

function streamed(whole, given, cuts) {
  const parser = new ToolCallParser(given);
  const content = [];
  const toolCalls = [];
  const take = (events) => {
    for (const event of events) {
      if (event.type === "text") content.push(event.text);
      else toolCalls.push(event.call);
    }
  };
  for (let at = 0, turn = 0; at < whole.length; turn++) {
    const size = cuts[turn % cuts.length];
    take(parser.push(whole.slice(at, at + size)));
    at += size;
  }
  take(parser.finish());
  return { content: content.join(""), toolCalls };
}

/** Content is what is left of the text, in its order. */
function isRest(content, whole) {
  let at = 0;
  for (const unit of content) {
    at = whole.indexOf(unit, at) + unit.length;
    if (at < unit.length) return false;
  }
  return true;
}

/** Without tools every name is known. */
const known = ({ tools, builtinTools }, name) =>
  tools.length === 0 ||
  tools.some((tool) => tool.function.name === name) ||
  builtinTools.includes(name);

await fuzz([
  {
    name: "tool-calls",
    arbitrary: fc.tuple(text, options, sizes),
    run: async ([whole, given, cuts]) => {
      const parsed = await demandCode(() => parseToolCalls(whole, given));
      if (!isDeepStrictEqual(streamed(whole, given, cuts), parsed)) {
        throw new Error("It says something else when it is cut");
      }
      if (!isRest(parsed.content, whole)) throw new Error("The content is not of the text");
      for (const call of parsed.toolCalls) {
        const { name, arguments: json } = call.function;
        if (call.known !== known(given, name)) {
          throw new Error(`${name} is ${call.known ? "no" : "a"} tool that was given`);
        }
        if (call.problem === undefined && typeof JSON.parse(json) !== "object") {
          throw new Error(`The arguments are no object: ${json}`);
        }
      }
    },
  },
]);
