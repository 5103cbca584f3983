import { type Context, createContext, Script } from "node:vm";
import { type Budget, TooMuchWork } from "./budget.js";
import { matches } from "./dfa.js";
import { compileRegex } from "./regex.js";
import { RegexProblem, regexOf } from "./regex-syntax.js";

/** How long a RegExp may take for a text, in ms. It blocks the event loop. */
const PATIENCE = 200;

/** A text for which a pattern takes too long. */
export class TooSlow extends Error {}

/**
 * Whether a pattern is found in texts. An automaton tells in time linear in the text; a RegExp, which may go
 * back without end, is for the patterns that have none: lookbehinds, backreferences, too many states.
 *
 * @throws {TooSlow} by the test
 */
export function patternTest(source: string, budget: Budget): (text: string) => boolean {
  try {
    const dfa = compileRegex(source, budget);
    return (text) => matches(dfa, text);
  } catch (error) {
    if (!(error instanceof RegexProblem || error instanceof TooMuchWork)) throw error;
    const regex = regexOf(source);
    return (text) => testWithin(regex, text);
  }
}

interface Sandbox extends Context {
  regex?: RegExp;
  text?: string;
}
let sandbox: Sandbox | undefined;
let script: Script | undefined;

/** V8 looks for an end of its time where a RegExp goes back, too. */
function testWithin(regex: RegExp, text: string): boolean {
  sandbox ??= createContext(Object.create(null) as Sandbox);
  script ??= new Script("regex.test(text)");
  Object.assign(sandbox, { regex, text });
  try {
    return script.runInContext(sandbox, { timeout: PATIENCE }) as boolean;
  } catch (error) {
    if ((error as { code?: unknown }).code !== "ERR_SCRIPT_EXECUTION_TIMEOUT") throw error;
    throw new TooSlow("it takes too long to look for");
  } finally {
    Object.assign(sandbox, { regex: undefined, text: undefined });
  }
}
