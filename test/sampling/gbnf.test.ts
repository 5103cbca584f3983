import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { CriaError } from "../../lib/internal/errors.js";
import { validateGbnf } from "../../lib/sampling/gbnf/gbnf.js";
import { llamaCppDir } from "../support/llama-cpp-dir.js";

const grammars = join(llamaCppDir(), "grammars");
const files = readdirSync(grammars)
  .filter((name) => name.endsWith(".gbnf"))
  .map((name) => ({ name, source: readFileSync(join(grammars, name), "utf8") }));

function refusal(source: string, root = "root"): CriaError | undefined {
  try {
    validateGbnf(source, root);
    return undefined;
  } catch (error) {
    if (!CriaError.is(error)) throw error;
    expect(error.code).toBe("ERR_GRAMMAR_INVALID");
    return error;
  }
}

/** Each the right side of the rule `root`. */
const ITEMS = [
  '"lla" "ma"',
  '""',
  '"\\t\\r\\n\\\\\\"\\[\\]\\-"',
  '"\\x41\\u00e9\\U0001F999"',
  '"\\x00"',
  '"over\ntwo lines"',
  '"🦙é"',
  "[a-zA-Z0-9_]",
  "[^\\n]",
  "[-+]",
  "[a-]",
  "[--9]",
  "[z-a]",
  '["]',
  "[\\]\\[]",
  "[🦙-🦚]",
  "[]",
  "[^]",
  "...",
  "()",
  '("a" | ) "b"',
  '( "a" # first\n\n"b"\r\n| "c" )',
  '"a"|"b"|',
  '"a" | # more below\n\n  "b"',
  '\n\n# below\n "a"',
  '"a"*"b"+"c"?',
  '"a" *',
  '("a"\n*)',
  '"a"+*',
  '"a"*?',
  '"a"{0}',
  '"a"{3}',
  '"a"{ 1 , 2 }',
  '"a"{2,}',
  '"a"{0,2000}',
  '"a"{0,2001}',
  '"a"{0,18446744073709551615}',
  '"a"{2000}',
  '"a"{0000000000000000000000000007}',
  '"a"{40}{50}',
  '("a"?)*',
  '("a"? "b"?){2,}',
  '(("a")*)*',
  "<[0]>",
  "!<[128009]>*",
  "<[4294967295]>",
  "<think> !</think>+ </think>",
  '"a" root',
  '"a" root | "b"',
  "nowhere{0}",
  '"a" # the end\r\n',
  '"a"\r',
];

const GRAMMARS = [
  ["a rule with capitals, digits and dashes", 'root ::= Rule-2\nRule-2 ::= "x"'],
  ["no space around ::=", 'root::="x"'],
  ["blank lines and comments around rules", ' \t\n# one\r\n\r\nroot ::= "x" # two\n# three'],
  ["a rule before its use and one after", 'a ::= "x"\nroot ::= a b\nb ::= "y"'],
  ["a rule that nobody uses", 'root ::= "x"\nspare ::= "y"'],
  ["a rule defined twice", 'root ::= nowhere\nroot ::= "x"'],
  ["right recursion", 'root ::= "(" root ")" | ""'],
  ["recursion behind an item that matches", 'root ::= [0-9] ("+" root)?'],
  ["empty repetition through a rule", 'root ::= word*\nword ::= ws\nws ::= " "?'],
  ["a rule that may begin with itself, last", 'root ::= n root | "x"\nn ::= m\nm ::= "y" |'],
  ["endless recursion in a rule nobody uses", 'root ::= "x"\na ::= n a "z"\nn ::= m\nm ::= |'],
] as const;

/** Source, place and words of the message. */
const REFUSED: readonly (readonly [string, number, number, string])[] = [
  ["", 1, 1, 'a rule named "root"'],
  ["# nothing\n", 1, 1, "no rules"],
  ['start ::= "a"\nnext ::= "b"', 1, 1, 'got the rules "start", "next"'],
  ["\uFEFFroot ::= .", 1, 1, "byte order mark"],
  ["::= .", 1, 1, "the name of a rule"],
  ["root", 1, 5, '"::=" after the name of the rule, got the end of the grammar'],
  ["root\n::= .", 1, 5, "got the end of the line"],
  ["root = .", 1, 6, "A rule is written name ::="],
  ["root : := .", 1, 6, 'got ":"'],
  ["my_rule ::= .", 1, 3, 'Names are made of a-z, A-Z, 0-9 and "-"'],
  ["root ::= my_rule", 1, 12, "Names are made of"],
  ["root ::= 'a'", 1, 10, "double quotes"],
  ["root ::= /a/", 1, 10, 'got "/"'],
  ["root ::= .;", 1, 11, 'got ";"'],
  ["root ::= \u00A0.", 1, 10, "got U+00A0"],
  ["root ::= . ::= .", 1, 12, 'got ":"'],
  ["root ::= .\n  | .", 2, 3, "stand in parentheses"],
  ["root ::= a\r\n\r\nb ::= .", 1, 10, 'a definition of rule "a", got none'],
  ["root ::= nowhere (.)\nroot ::= .", 1, 10, 'a definition of rule "nowhere"'],
  ["root ::= nowhere{0}\nother ::= .", 1, 10, 'a definition of rule "nowhere"'],
  ["root ::= Word\nword ::= .", 1, 10, 'a definition of rule "Word"'],
  ['root ::= "abc', 1, 10, "closes this literal"],
  ['root ::= "abc\\', 1, 14, '"\\" before the end of the grammar'],
  ['root ::= "🦙" "\\q"', 1, 15, '"\\" before "q"'],
  ['root ::= "\\x4"', 1, 14, '2 hexadecimal digits after "\\x"'],
  ['root ::= "\\u12g4"', 1, 15, "4 hexadecimal digits"],
  ['root ::= "\\U0001F99"', 1, 20, "8 hexadecimal digits"],
  ["root ::= [a-z", 1, 10, "closes this character class"],
  ["root ::= [a-", 1, 10, "closes this character class"],
  ["root ::= [\\^a]", 1, 11, '"\\" before "^"'],
  ["root ::= (.\n . | (.)", 2, 9, 'a ")" for the "(" at line 1, column 10'],
  ["root ::= (.\nnext ::= .", 2, 6, "A rule is written"],
  ["root ::= .)", 1, 11, 'No "(" is open'],
  ["root ::= *", 1, 10, "an item that can be repeated"],
  ["root ::= . | +", 1, 14, "an item that can be repeated"],
  ['root ::= ""*', 1, 12, "an item that can be repeated"],
  ["root ::= []?", 1, 12, "an item that can be repeated"],
  ["root ::= .{0}*", 1, 14, "an item that can be repeated"],
  ["root ::= .\n*", 2, 1, "the name of a rule"],
  ["root ::= .{}", 1, 12, 'a number after "{"'],
  ["root ::= .{,3}", 1, 12, 'a number after "{"'],
  ["root ::= .{2 3}", 1, 14, '"," or "}"'],
  ["root ::= .{2,x}", 1, 14, '"}" after the bounds'],
  ["root ::= .{2", 1, 13, "got the end of the grammar"],
  ["root ::= .{2\n}", 1, 13, "got the end of the line"],
  ["root ::= .{3,2}", 1, 11, "got {3,2}"],
  ["root ::= .{2001}", 1, 11, "at most 2000, got 2001"],
  ["root ::= .{2,18446744073709551616}", 1, 14, "below 2^64"],
  ["root ::= .{40}{51}", 1, 15, "got 40 × 51"],
  ["root ::= ((.) (.)){0,1000}", 1, 19, "got 3 × 1000"],
  ["root ::= .?*", 1, 12, "a repeated item that always matches something"],
  ["root ::= .*+", 1, 12, "a repeated item that always matches something"],
  ['root ::= ("a" | )*', 1, 18, "a repeated item that always matches something"],
  ["root ::= !", 1, 11, "a token such as <[123]>"],
  ["root ::= ! <[1]>", 1, 11, "a token such as <[123]>"],
  ["root ::= <[]>", 1, 12, "a token id"],
  ["root ::= <[-1]>", 1, 12, 'got "-"'],
  ["root ::= <[1>", 1, 13, '"]>" after the token id'],
  ["root ::= <[4294967296]>", 1, 12, "at most 4294967295"],
  ["root ::= <think", 1, 10, 'a ">" that closes this token'],
  ["root ::= root .", 1, 10, '"root" → "root"'],
  ['root ::= "a" | (root ".")', 1, 17, '"root" → "root"'],
  ['root ::= ("a" | "") root', 1, 21, '"root" → "root"'],
  [". ::= root", 1, 1, "the name of a rule"],
  ['root ::= "a" b\nb ::= c\nc ::= d . | .\nd ::= b', 4, 7, '"b" → "c" → "d" → "b"'],
  ["root ::= .\nspare ::= spare", 2, 11, '"spare" → "spare"'],
  ['root ::= "a" x\nx ::= (ws x)?\nws ::= [ ]*', 2, 11, '"x" → "x"'],
  ['root ::= n root "z" | .\nn ::= m\nm ::= "y" |', 1, 12, "expand it without end"],
  ['root ::= "a" b\nb ::= n n b? "z"\nn ::= m\nm ::= .?', 2, 12, "expand it without end"],
  ['root ::= a\na ::= n a\nn ::= m\nm ::= ""', 1, 10, 'rule "a" to match something'],
  ["root ::= .\0", 1, 11, "Write it as \\x00"],
  ['root ::= "\uD83E"', 1, 11, "the lone surrogate U+D83E"],
  ['root ::= "\n\uDD99\uD83E"', 2, 1, "the lone surrogate U+DD99"],
];

const lines = (count: number, line: (n: number) => string) =>
  Array.from({ length: count }, (_, n) => line(n)).join("\n");

/** Each would exhaust llama.cpp's stack, memory or patience. */
const HOSTILE: readonly (readonly [string, string, string])[] = [
  ["groups in groups", `root ::= ${"(".repeat(20_000)}`, "at most 200 groups"],
  ["a long source", `root ::= "${"é".repeat(600_000)}"`, "1048576 bytes, got 1200011 bytes"],
  ["repeated literals", `root ::= ${'"abcdefgh"{2000}'.repeat(9000)}`, "at most 4000000 elements"],
  ["a long repeated literal", `root ::= "${"x".repeat(9000)}"{2000}`, "at most 4000000 elements"],
  ["optional items", `root ::= ${"[a-z]{0,1000}".repeat(9000)}`, "at most 4000000 elements"],
  ["a long name", `${"n".repeat(500_000)} ::= .{0,2000}`, "at most 4000000 elements"],
  ["a big number", `root ::= .{${"9".repeat(900_000)}}`, "got one of 900000 digits"],
  [
    "a chain of rules",
    `root ::= r0\n${lines(40_000, (n) => `r${n} ::= r${n + 1}`)}\nr40000 ::= .`,
    "at most 2500 rules",
  ],
  [
    "a cycle of many rules",
    `root ::= r0\n${lines(40_000, (n) => `r${n} ::= r${n + 1}`)}\nr40000 ::= r0`,
    '"r0" → "r1" → "r2" → "r3" → "r4" → … → "r0"',
  ],
  [
    "two ways to each of many rules",
    `root ::= r0\n${lines(60, (n) => `r${n} ::= r${n + 1} | r${n + 1}`)}\nr60 ::= .`,
    "fewer ways from a rule",
  ],
  [
    "twice as many beginnings on each level",
    `root ::= r0\n${lines(20, (n) => `r${n} ::= r${n + 1} "a" | r${n + 1} "b"`)}\nr20 ::= .`,
    "at most 32768 ways",
  ],
  ["many alternatives", `root ::= ${"|.".repeat(100_000)}`, "at most 32768 ways"],
];

/** Big, but nothing that llama.cpp would not take in its stride. */
const BIG: readonly (readonly [string, string])[] = [
  ["200 groups in each other", `root ::= ${"(".repeat(200)}.${")".repeat(200)}`],
  ["200 optional items of up to 1000", `root ::= ${"[a-z]{0,1000}".repeat(200)}`],
  ["2000 optional empty items", 'root ::= a{0,2000}\na ::= "x" |'],
  ["a long chain", `root ::= r0\n${lines(2400, (n) => `r${n} ::= r${n + 1}`)}\nr2400 ::= .`],
  ["many alternatives", `root ::= ${lines(5000, (n) => `"${n}" |`)}`],
  ["a literal of 900,000 characters", `root ::= "${"x".repeat(900_000)}"`],
  ["a comment of 900,000 characters", `root ::= . #${"x".repeat(900_000)}`],
  ["many rules", `root ::= r0\n${lines(20_000, (n) => `r${n} ::= "x" r${n + 1}?`)}\nr20000 ::= .`],
];

test.each(ITEMS)("accepts root ::= %j", (items) => {
  expect(refusal(`root ::= ${items}`)?.message).toBeUndefined();
});

test.each(GRAMMARS)("accepts %s", (_name, source) => {
  expect(refusal(source)?.message).toBeUndefined();
});

test.each(files.map(({ name }) => name))("accepts llama.cpp's %s", (name) => {
  const { source } = files.find((file) => file.name === name)!;
  expect(refusal(source)?.message).toBeUndefined();
  expect(refusal(source.replaceAll(/\r?\n/g, "\r\n"))?.message).toBeUndefined();
});

test("llama.cpp brings its grammars", () => {
  expect(files.map(({ name }) => name)).toEqual(expect.arrayContaining(["json.gbnf", "c.gbnf"]));
});

test.each(REFUSED)("refuses %j at line %d, column %d", (source, line, column, words) => {
  const error = refusal(source);
  expect(error?.message).toContain(`Grammar invalid at line ${line}, column ${column}: expected `);
  expect(error?.message).toContain(", got ");
  expect(error?.message).toContain(words);
  expect(error?.details).toEqual({ line, column });
});

test("the root may have any name, but needs its rule", () => {
  const source = 'start ::= [a] ("b") later\nlater ::= "c"\nlater ::= gone{0}';
  expect(refusal(source, "start")).toBeUndefined();
  expect(refusal(source, "later")).toBeUndefined();
  for (const root of ["", "gone", "start_1", "Start", "toString", "start\0"]) {
    expect(refusal(source, root)?.message).toContain('got the rules "start", "later"');
  }
});

test.each(HOSTILE)("refuses %s", (_name, source, words) => {
  expect(refusal(source, source.startsWith("n") ? "n".repeat(500_000) : "root")?.message).toContain(
    words,
  );
});

test.each(BIG)("accepts %s", (_name, source) => {
  expect(refusal(source)?.message).toBeUndefined();
});

test("messages stay short", () => {
  const name = "long".repeat(1000);
  for (const source of [`root ::= ${name}`, `root ::= .\n${name} ::= ${name} .`, `${name} ::= .`]) {
    const { message } = refusal(source)!;
    expect(message).toContain(`"${"long".repeat(10)}…"`);
    expect(message.length).toBeLessThan(300);
  }
});

describe("damaged grammars", () => {
  const PIECES = [
    ...'"[](){}|*+?\\-^!<>._#:=\n\r\t',
    "::=",
    "{2}",
    "{0,3}",
    "{4,}",
    "{1999}",
    "\\x41",
    "\\u0",
    "<[7]>",
    "<a>",
    "root",
    "()",
    '""',
    "🦙",
    "\uD83E",
    "\0",
  ];

  /** Mulberry32: the same damage in every run. */
  function generator(seed: number): (below: number) => number {
    let state = seed;
    return (below) => {
      state = (state + 0x6d2b79f5) | 0;
      let mixed = Math.imul(state ^ (state >>> 15), state | 1);
      mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
      return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
    };
  }

  function damage(source: string, random: (below: number) => number): string {
    const at = random(source.length + 1);
    const from = random(source.length + 1);
    const piece = PIECES[random(PIECES.length)]!;
    switch (random(4)) {
      case 0:
        return source.slice(0, at) + source.slice(at + 1 + random(3));
      case 1:
        return source.slice(0, at) + piece + source.slice(at);
      case 2:
        return source.slice(0, at) + piece + source.slice(at + 1);
      default:
        return source.slice(0, at) + source.slice(from, from + random(30)) + source.slice(at);
    }
  }

  test.each(files.map(({ name }) => name))("of %s are accepted or refused", (name) => {
    const { source } = files.find((file) => file.name === name)!;
    const random = generator(name.length);
    const verdicts = { accepted: 0, refused: 0 };
    for (let round = 0; round < 300; round++) {
      let damaged = source;
      for (let times = 1 + random(3); times > 0; times--) damaged = damage(damaged, random);
      const error = refusal(damaged);
      verdicts[error === undefined ? "accepted" : "refused"]++;
      if (error === undefined) continue;
      const { line, column } = error.details as { line: number; column: number };
      const place = damaged.split(/\r\n|\r|\n/)[line - 1];
      expect(place).toBeDefined();
      expect(column).toBeGreaterThan(0);
      expect(column).toBeLessThanOrEqual([...place!].length + 1);
    }
    expect(verdicts.accepted).toBeGreaterThan(10);
    expect(verdicts.refused).toBeGreaterThan(10);
  });
});
