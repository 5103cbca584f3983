// Texts by chance from the grammars: each parses, and ajv finds it valid.

import { judgeOf } from "./ajv-judge.mjs";
import { tryCompile } from "./schema-library.mjs";

/** How long a text may get; where more is called for, it is given up. */
const LONGEST = 20_000;

/** @param wanted how many texts, spread over all schemas that a grammar is made of */
export function measureTexts(library, rows, { wanted, seed, verbose }) {
  const random = new library.Random(seed);
  const chance = () => random.below(1 << 30) / (1 << 30);
  const sources = [];
  const unjudged = [];
  for (const { name, schema } of rows) {
    const { grammar } = tryCompile(library, schema);
    if (grammar === undefined) continue;
    const judge = judgeOf(schema);
    if (judge === undefined) unjudged.push(name);
    else sources.push({ name, judge, matcher: new library.GbnfMatcher(grammar.source) });
  }
  const sum = { texts: 0, invalid: 0, tooLong: 0 };
  for (let round = 0; sum.texts < wanted && round <= wanted; round++) {
    for (const { name, judge, matcher } of sources) {
      if (sum.texts === wanted) break;
      const text = matcher.sample(chance, LONGEST);
      if (text === undefined) {
        sum.tooLong++;
        continue;
      }
      sum.texts++;
      const problem = problemOf(text, judge);
      if (problem === "") continue;
      sum.invalid++;
      if (verbose) console.log(`INVALID ${name}: ${problem}: ${text.slice(0, 400)}`);
    }
  }
  console.log(`Sampled texts, seed ${seed}`);
  console.log(`  grammars          ${sources.length}`);
  console.log(`  not judged        ${unjudged.length} schemas that ajv does not take`);
  if (verbose) for (const name of unjudged) console.log(`    ${name}`);
  console.log(`  texts             ${sum.texts}, and ${sum.tooLong} given up, too long`);
  console.log(`  invalid           ${sum.invalid}`);
  return sum.invalid === 0 && sum.texts === wanted;
}

/** "", or why a text is no valid JSON. */
export function problemOf(text, judge) {
  try {
    return judge(JSON.parse(text));
  } catch (error) {
    return error.message;
  }
}
