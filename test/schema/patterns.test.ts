import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { Grammar } from "../../lib/index.js";
import { isWellFormed } from "../../lib/internal/checks.js";
import { Budget } from "../../lib/schema/language/budget.js";
import { matches } from "../../lib/schema/language/dfa.js";
import { compileRegex } from "../../lib/schema/language/regex.js";
import { regexOf } from "../../lib/schema/language/regex-syntax.js";
import { GbnfMatcher } from "../support/gbnf-matcher.js";
import { Random } from "../support/random.js";
import { sampleRegex } from "../support/regex-sampler.js";

/** More of what is common in schemas, besides patterns-in-use.tsv. */
const PATTERNS: readonly string[] = [
  // identifiers
  "^[cC][^\\s-]{8,}$",
  "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$",
  "^[0-9a-fA-F]{8}\\b-[0-9a-fA-F]{4}\\b-[0-9a-fA-F]{4}\\b-[0-9a-fA-F]{4}\\b-[0-9a-fA-F]{12}$",
  "^([0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[1-8][0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}|00000000-0000-0000-0000-000000000000)$",
  "^[a-f0-9]{24}$",
  "^[a-f\\d]{32}$",
  "^sha256:[a-f0-9]{64}$",
  "^[a-zA-Z_][a-zA-Z0-9_]*$",
  "^[a-zA-Z$_][\\w$]*$",
  "^[A-Z][A-Z0-9_]*$",
  "^[a-z]+(?:[A-Z][a-z0-9]*)*$",
  "^[a-z][a-z0-9]*(?:_[a-z0-9]+)*$",
  "^[a-zA-Z0-9_\\-]{1,64}$",
  "^[\\w-]+$",
  "^[\\w.-]+$",
  "^[\\w\\-\\.]+$",
  "^\\w+$",
  "^\\S+$",
  "^[^\\s]+$",
  "^\\S.*\\S$",
  "^$|^\\S+$",
  "^(?!\\s)(?!.*\\s$).+$",
  "^[A-Za-z]+$",
  "^[A-Z]{2}$",
  "^[a-z]{2}(-[A-Z]{2})?$",
  "^[a-z]{2,3}(?:-[A-Z][a-z]{3})?(?:-(?:[A-Z]{2}|\\d{3}))?$",
  "^tool_[a-z0-9]{8}$",
  "^(sk|pk)_(test|live)_[0-9a-zA-Z]{24}$",
  "^ghp_[A-Za-z0-9]{36}$",
  "^xox[baprs]-[0-9A-Za-z-]{10,48}$",
  "^AKIA[0-9A-Z]{16}$",
  "^arn:aws[a-z-]*:[a-z0-9-]+:[a-z0-9-]*:\\d{0,12}:.+$",
  "^i-[0-9a-f]{8}(?:[0-9a-f]{9})?$",
  "^projects/[^/]+/locations/[^/]+$",
  "^urn:[a-z0-9][a-z0-9-]{0,31}:[a-z0-9()+,\\-.:=@;$_!*'%/?#]+$",
  "^did:[a-z0-9]+:.+$",
  // numbers as texts
  "^\\d+$",
  "^[+-]?\\d+$",
  "^\\d{1,3}$",
  "^0*[1-9]\\d*$",
  "^(0|[1-9]\\d*)$",
  "^-?(0|[1-9]\\d*)(\\.\\d+)?$",
  "^\\d+(\\.\\d{1,2})?$",
  "^-?\\d+(?:\\.\\d+)?(?:[eE][+-]?\\d+)?$",
  "^[-+]?[0-9]*\\.?[0-9]+([eE][-+]?[0-9]+)?$",
  "^\\$?\\d{1,3}(,\\d{3})*(\\.\\d{2})?$",
  "^(100|[1-9]?\\d)%$",
  "^(?:100|[1-9]?[0-9])$",
  "^0x[0-9a-fA-F]+$",
  "^[01]+$",
  "^[0-7]{3,4}$",
  "^#[0-9a-fA-F]{6}$",
  "^#([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$",
  "^#(?:[0-9a-fA-F]{3,4}){1,2}$",
  "^rgba?\\(\\s*\\d{1,3}\\s*,\\s*\\d{1,3}\\s*,\\s*\\d{1,3}\\s*(,\\s*(0|1|0?\\.\\d+)\\s*)?\\)$",
  "^\\d+(px|em|rem|%)$",
  "^\\d+[KMGT]i?B?$",
  "^([0-9]+)(m|Mi|Gi|Ki)?$",
  "^\\d+(ms|s|m|h|d)$",
  "^(\\d+h)?(\\d+m)?(\\d+s)?$",
  "^[1-9]\\d{0,4}$",
  "^\\d{13,19}$",
  "^4[0-9]{12}(?:[0-9]{3})?$",
  "^(?:4\\d{12}(?:\\d{3})?|5[1-5]\\d{14}|3[47]\\d{13})$",
  "^\\d{4}[ -]?\\d{4}[ -]?\\d{4}[ -]?\\d{4}$",
  "^\\d{3}-\\d{2}-\\d{4}$",
  "^\\d{2}-\\d{7}$",
  "^[A-Z]{2}\\d{2}[A-Z0-9]{1,30}$",
  "^[A-Z]{6}[A-Z0-9]{2}([A-Z0-9]{3})?$",
  "^(?:97[89])?\\d{9}[\\dX]$",
  "^\\d{8}|\\d{12,14}$",
  "^[A-HJ-NPR-Z0-9]{17}$",
  // dates and times
  "^\\d{4}-\\d{2}-\\d{2}$",
  "^\\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\\d|3[01])$",
  "^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}Z$",
  "^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}(\\.\\d+)?(Z|[+-]\\d{2}:\\d{2})$",
  "^([01]\\d|2[0-3]):[0-5]\\d$",
  "^([01]?[0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?$",
  "^(?:[01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(?:\\.\\d{1,9})?$",
  "^\\d{4}-(0[1-9]|1[0-2])$",
  "^\\d{4}-W(0[1-9]|[1-4]\\d|5[0-3])$",
  "^(19|20)\\d{2}$",
  "^\\d{1,2}/\\d{1,2}/\\d{4}$",
  "^P(?!$)(\\d+Y)?(\\d+M)?(\\d+D)?(T(\\d+H)?(\\d+M)?(\\d+S)?)?$",
  "^[+-](?:0\\d|1[0-4]):[0-5]\\d$",
  "^[A-Z][a-z]+/[A-Z][A-Za-z_]+$",
  "^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)$",
  "^(@(annually|yearly|monthly|weekly|daily|hourly))|((\\*|\\d+)( (\\*|\\d+)){4})$",
  "^(\\*|([0-5]?\\d))(/\\d+)? (\\*|([01]?\\d|2[0-3])) (\\*|[1-9]|[12]\\d|3[01]) (\\*|[1-9]|1[0-2]) (\\*|[0-6])$",
  // addresses of the net
  "^https?://",
  "^https:\\/\\/",
  "^https?:\\/\\/.+$",
  "^https\\:\\/\\/[a-z0-9.-]+\\/mcp$",
  "^(https?|wss?)://[^\\s/$.?#].[^\\s]*$",
  "^https?://[^/]+(/[^?#]*)?(\\?[^#]*)?(#.*)?$",
  "^https?:\\/\\/(www\\.)?[-a-zA-Z0-9@:%._\\+~#=]{1,60}\\.[a-zA-Z0-9()]{1,6}\\b([-a-zA-Z0-9()@:%_\\+.~#?&\\/=]*)$",
  "^(git|ssh|https?)(@|://)[\\w.@:/~-]+\\.git$",
  "^git@[\\w.-]+:[\\w./-]+$",
  "^mailto:.+@.+$",
  "^tel:\\+?[0-9-]+$",
  "^data:image\\/(png|jpe?g|gif|webp);base64,[A-Za-z0-9+/=]+$",
  "^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$",
  "^[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]*$",
  "^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$",
  "^[\\w.+-]+@[\\w-]+\\.[\\w.-]+$",
  "^[a-zA-Z0-9._%+-]+@[a-zA-Z0-9.-]+\\.[a-zA-Z]{2,}$",
  "^@?[A-Za-z0-9_]{1,15}$",
  "^@[a-z0-9-~][a-z0-9-._~]*/[a-z0-9-~][a-z0-9-._~]*$",
  "^(?:(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)\\.){3}(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)$",
  "^\\d{1,3}\\.\\d{1,3}\\.\\d{1,3}\\.\\d{1,3}$",
  "^(?:\\d{1,3}\\.){3}\\d{1,3}/(?:[0-9]|[12][0-9]|3[0-2])$",
  "^([0-9a-fA-F]{1,4}:){7}[0-9a-fA-F]{1,4}$",
  "^([0-9A-Fa-f]{2}[:-]){5}([0-9A-Fa-f]{2})$",
  "^(?:[0-9A-F]{2}:){5}[0-9A-F]{2}$",
  "^localhost(:\\d{1,5})?$",
  "^[\\w.-]+:\\d{2,5}$",
  "^(([a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])\\.)*([A-Za-z0-9]|[A-Za-z0-9][A-Za-z0-9-]*[A-Za-z0-9])$",
  "^\\*?[a-z0-9.-]+$",
  "^(GET|POST|PUT|PATCH|DELETE)$",
  "^(GET|HEAD|POST) /[^ ]* HTTP/1\\.[01]$",
  "^[1-5]\\d{2}$",
  "^[1-5](?:\\d{2}|XX)$",
  "^X-[A-Za-z-]+$",
  "^Bearer [A-Za-z0-9._~+/-]+=*$",
  "^[a-z]+/[a-z0-9.+-]+$",
  "^[\\w-]+/[\\w.+-]+(;\\s*[\\w-]+=[\\w-]+)*$",
  // files and versions
  "^/",
  "^/[^/]",
  "^\\./",
  "^(/[^/ ]*)+/?$",
  "^[^/]+$",
  '^[^<>:"/\\\\|?*]+$',
  "^(?!.*\\.\\.)[\\w/.-]+$",
  "^.+\\.(json|ya?ml)$",
  "\\.json$",
  "\\.(png|jpg|jpeg|gif)$",
  '^[A-Za-z]:\\\\(?:[^\\\\/:*?"<>|\\r\\n]+\\\\)*[^\\\\/:*?"<>|\\r\\n]*$',
  "^file:///",
  "^s3://[a-z0-9.-]{3,63}/.*$",
  "^\\d+\\.\\d+\\.\\d+$",
  "^v?\\d+(\\.\\d+){0,2}$",
  "^(0|[1-9]\\d*)\\.(0|[1-9]\\d*)\\.(0|[1-9]\\d*)$",
  "^[\\^~]?\\d+\\.\\d+\\.\\d+$",
  "^[a-z0-9]+(?:[._-][a-z0-9]+)*(?:/[a-z0-9]+(?:[._-][a-z0-9]+)*)*(?::[\\w][\\w.-]{0,27})?$",
  "^refs/(heads|tags)/.+$",
  "^[0-9a-f]{7,12}$",
  "^(feat|fix|docs|chore)(\\(.+\\))?!?: .+$",
  "^\\{\\{.*\\}\\}$",
  "^\\$\\{[A-Z_]+\\}$",
  "^\\$[a-zA-Z_]\\w*$",
  "^<[a-z]+>$",
  "^\\[[^\\]]*\\]$",
  "^\\(.*\\)$",
  '^"[^"]*"$',
  "^'[^']*'$",
  '^([^\\\\"]|\\\\.)*$',
  // people and places
  "^\\+?[1-9]\\d{1,14}$",
  "^\\(\\d{3}\\) \\d{3}-\\d{4}$",
  "^(\\+\\d{1,2}\\s?)?\\(?\\d{3}\\)?[\\s.-]?\\d{3}[\\s.-]?\\d{4}$",
  "^\\d{5}(-\\d{4})?$",
  "^[A-Z]{1,2}\\d[A-Z\\d]? ?\\d[A-Z]{2}$",
  "^[ABCEGHJ-NPRSTVXY]\\d[A-Z] ?\\d[A-Z]\\d$",
  "^[A-Z][a-z]+(?: [A-Z][a-z]+)*$",
  "^[A-Za-zÀ-ÖØ-öø-ÿ' -]+$",
  "^[\\p{L}\\p{M}' .-]+$",
  "^\\p{Lu}\\p{Ll}*$",
  "^(?:\\p{Extended_Pictographic}|\\p{Emoji_Component})+$",
  "^[^\\p{C}]*$",
  "^-?([1-8]?\\d(\\.\\d+)?|90(\\.0+)?),\\s*-?(180(\\.0+)?|((1[0-7]\\d)|([1-9]?\\d))(\\.\\d+)?)$",
  "^(?:[NS]|[EW])\\d{1,3}$",
  // lookaheads in groups
  "^(?:a(?=b)|c)[abc]*$",
  "^(?:(?!ab)[ab]*)?c$",
  "^((?=.*x)a|b).*$",
  "^(?:(?=a))?b",
  "^(a(?!b))?b*$",
  "(?:^(?!x)|-)a",
  "^(?:(?:(?=[ab])\\w|(?!c)\\d)x){1}$",
  // passwords and prose
  "^(?=.*[a-z])(?=.*[A-Z])(?=.*\\d).{8,}$",
  "^(?=.*[A-Za-z])(?=.*\\d)[A-Za-z\\d]{8,20}$",
  "^(?!.*(admin|root)).{3,12}$",
  "^.{1,100}$",
  "^[\\s\\S]{1,50}$",
  "^.*$",
  "^.+$",
  ".+",
  "\\S",
  "^[^\\n\\r]*$",
  "^[ -~]+$",
  "^[\\x20-\\x7E]*$",
  "^[^\\u0000-\\u001F]+$",
  "^(yes|no|maybe)$",
  "^yes$|^no$",
  "^(a+)+b$",
  "^(ab?)*c{2,}$",
  "colou?r",
  "[aeiou]{2}",
  "\\bid\\b",
  // looking around at an end
  "^(?!-)(?!.*--)[a-z0-9-]{1,63}(?<!-)$",
  "^(?=[a-c]|x)(?!ab)[a-z]{2,5}(?<!z)(?<=[a-m]|yx)$",
  "[a-z]+(?<!ing|ed)$",
  "^[\\w.]*(?<=\\.(?:js|ts))$",
  "(?<=\\$|USD )\\d+",
  "(?<!\\d)\\d{4}(?!\\d)",
  "(?<![\\w.])[a-c]+(?=!)",
  // and anywhere, for one character
  '(?<!\\\\)"',
  "^(?:a(?!b|😀)|b(?<=[ab])|[c😀](?<!c))*$",
  "^(?:[a-z]+(?:_(?=[a-z]))?)+$",
  "(?:^|\\s)@(?!\\d)\\w+(?=.?$)",
  "^(?=.{3,80}\\.?$)(?:[a-z](?:[a-z-]{0,61}[a-z])?\\.)+[a-z]{2,63}$",
];

interface PatternInUse {
  readonly source: string;
  readonly what: string;
  readonly pattern: string;
  /** Why no grammar is made of it. */
  readonly refused: string | undefined;
}

/** A line for each: whose schemas have it, what it stands for, and where it is refused, the reason. */
const IN_USE = readFileSync(join(__dirname, "patterns-in-use.tsv"), "utf8")
  .split("\n")
  .filter((line) => line !== "")
  .map((line): PatternInUse => {
    const [source = "", what = "", pattern = "", refused] = line.split("\t");
    return { source, what, pattern, refused };
  });
const HELD = IN_USE.filter(({ refused }) => refused === undefined);
const REFUSED = IN_USE.filter(({ refused }) => refused !== undefined);

test("there are enough of them, each once", () => {
  expect(HELD.length).toBeGreaterThanOrEqual(200);
  const all = [...IN_USE.map(({ pattern }) => pattern), ...PATTERNS];
  expect(new Set(all).size).toBe(all.length);
});

const grammarOf = (pattern: string) => Grammar.jsonSchema({ type: "string", pattern });

/** What must be ahead, or not, and the edge of a word have to be met by chance. */
const RARELY_MET = /\(\?<?[=!]|\\b/;

/** Texts of the grammar match the RegExp, and it takes exactly those that match, however they are made. */
function compare(pattern: string, texts: number): void {
  const random = new Random(5);
  const chance = () => random.below(1 << 30) / (1 << 30);
  const matcher = new GbnfMatcher(grammarOf(pattern).source);
  const regex = regexOf(pattern);
  let sampled = 0;
  for (let i = 0; i < texts; i++) {
    const text = matcher.sample(chance);
    if (text === undefined) continue;
    sampled++;
    expect([text, regex.test(JSON.parse(text) as string)]).toEqual([text, true]);
  }
  expect(sampled).toBeGreaterThan(texts / 2);
  let matched = 0;
  for (let i = 0; i < 2 * texts; i++) {
    const before = i % 4 === 3 ? "x " : "";
    const text = before + sampleRegex(pattern, chance) + (i % 3 === 2 ? " x" : "");
    const is = regex.test(text);
    if (is) matched++;
    expect([text, matcher.matches(JSON.stringify(text))]).toEqual([text, is]);
  }
  if (!RARELY_MET.test(pattern)) expect(matched).toBeGreaterThan(texts / 6);
}

test.each(PATTERNS)("%s", (pattern) => compare(pattern, 60));

describe.each(HELD)("$source: $what", ({ pattern }) => {
  test("texts of the grammar match, and it takes what matches", () => compare(pattern, 60));

  // fast-check writes texts with whatever may stand around what is not anchored.
  if (RARELY_MET.test(pattern)) return;
  test("it takes fast-check's texts, and changed ones where they match", () => {
    const regex = regexOf(pattern);
    const matcher = new GbnfMatcher(grammarOf(pattern).source);
    const random = new Random(11);
    const texts = fc.sample(fc.stringMatching(regex), { seed: 17, numRuns: 40 });
    let taken = 0;
    for (const text of texts) {
      // JSON has no halves of characters.
      if (!isWellFormed(text)) continue;
      taken++;
      expect([text, matcher.matches(JSON.stringify(text))]).toEqual([text, true]);
      const characters = [...text];
      const at = random.below(characters.length + 1);
      characters.splice(at, random.below(2), random.pick([...'aZ0-_./: \n"\\é😀']));
      const changed = characters.join("");
      const is = regex.test(changed);
      expect([changed, matcher.matches(JSON.stringify(changed))]).toEqual([changed, is]);
    }
    expect(taken).toBeGreaterThan(10);
  });
});

test.each(REFUSED)("$source: $what is refused, with the reason", ({ pattern, refused }) => {
  expect(() => grammarOf(pattern)).toThrow(
    expect.objectContaining({
      code: "ERR_SCHEMA_UNSUPPORTED",
      message: expect.stringContaining(refused as string),
      details: expect.objectContaining({ path: "#/pattern" }),
    }),
  );
});

test.each(["L", "Lu", "Script=Latin", "Extended_Pictographic", "C", "Any"])(
  "\\p{%s} is what the RegExp says, at the edges of its runs, too",
  (name) => {
    const regex = new RegExp(`^\\p{${name}}$`, "u");
    const automaton = compileRegex(regex.source, new Budget());
    const wrong: string[] = [];
    let before: boolean | undefined;
    for (let codePoint = 0; codePoint <= 0x10ffff; codePoint++) {
      if (codePoint === 0xd800) codePoint = 0xe000;
      const text = String.fromCodePoint(codePoint);
      const is = regex.test(text);
      const looks = is !== before || codePoint % 97 === 0;
      before = is;
      if (looks && matches(automaton, text) !== is) wrong.push(text);
    }
    expect(wrong).toEqual([]);
  },
);
