// What the evaluations read out of answers, on fixed cases: the plain ones, and those by which an answer could get
// more than it deserves or end the run.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { runNode } from "../support/child.js";
import { ROOT } from "../support/paths.js";

/** The results of a module's function, called in a Node of its own: jest cannot import the programs' modules. */
async function results(
  module: string,
  name: string,
  cases: readonly (readonly unknown[])[],
): Promise<unknown[]> {
  const url = pathToFileURL(join(ROOT, "examples", "evaluations", `${module}.mjs`)).href;
  const program = `import { ${name} } from ${JSON.stringify(url)};
    const results = [];
    for (const args of ${JSON.stringify(cases)}) {
      try { results.push((await ${name}(...args)) ?? null); }
      catch (error) { results.push({ error: error.message }); }
    }
    console.log(JSON.stringify(results));`;
  const { code, stdout, stderr } = await runNode(["--input-type=module", "--eval", program]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return JSON.parse(stdout) as unknown[];
}

/** Each first of a pair is what the function gets, each second what it is to give. */
async function expectAll(
  module: string,
  name: string,
  pairs: readonly (readonly [unknown[], unknown])[],
) {
  const found = await results(
    module,
    name,
    pairs.map(([args]) => args),
  );
  const told = (values: readonly unknown[]) =>
    values.map((value, at) => ({ of: pairs[at]?.[0], is: value }));
  expect(told(found)).toEqual(told(pairs.map(([, wanted]) => wanted)));
}

test("the number behind ####: the first, exactly, whatever its spelling", () =>
  expectAll("number-answers", "markedNumber", [
    [["So it is 7.\n#### 7"], "7"],
    [["#### 1,234"], "1234"],
    [["#### $1,234.50"], "1234.5"],
    [["#### -3"], "-3"],
    [["#### -$3"], "-3"],
    [["####12."], "12"],
    [["#### 007.100"], "7.1"],
    [["#### -0"], "0"],
    [["#### .5"], "0.5"],
    [["#### 12 #### 13"], "12"],
    // Two numbers that a float could not tell apart.
    [["#### 9007199254740993"], "9007199254740993"],
    [["#### 9007199254740992"], "9007199254740992"],
    [["### 7"], null],
    [["#### seven (7)"], null],
    [["#### \n"], null],
    [["The answer is 7"], null],
    [[""], null],
  ]));

test("the last number", () =>
  expectAll("number-answers", "lastNumber", [
    [["first 3, then 4."], "4"],
    [["It costs $1,250.00, that is all."], "1250"],
    [["4-5"], "-5"],
    [["version 2"], "2"],
    [["-"], null],
    [["none"], null],
    [["$,,,"], null],
  ]));

describe("instructions", () => {
  const all: readonly [string, object, readonly string[], readonly string[]][] = [
    ["keywords:existence", { keywords: ["hay", "a.c"] }, ["HAY and a.c"], ["hay and abc", "a.c"]],
    ["keywords:forbidden_words", { forbidden_words: ["sea"] }, ["a search"], ["the Sea.", "sea"]],
    [
      "keywords:frequency",
      { keyword: "wool", frequency: 2, relation: "at least" },
      ["Wool, woollen"],
      ["wool"],
    ],
    [
      "keywords:letter_frequency",
      { letter: "z", let_frequency: 2, let_relation: "less than" },
      ["a Z"],
      ["zZ"],
    ],
    [
      "length_constraints:number_words",
      { num_words: 3, relation: "less than" },
      ["two words"],
      ["now three words"],
    ],
    [
      "length_constraints:number_sentences",
      { num_sentences: 2, relation: "at least" },
      ["One. Two!"],
      ["One, and one more"],
    ],
    [
      "length_constraints:number_paragraphs",
      { num_paragraphs: 2 },
      ["a\n***\nb", "***\na\n***\nb\n***"],
      ["a", "a *** *** b", "a\n\nb"],
    ],
    [
      "length_constraints:nth_paragraph_first_word",
      { num_paragraphs: 2, nth_paragraph: 2, first_word: "rain" },
      ['a\n\n"Rain," he said', "a\n\n\n\nrain"],
      ["rain\n\na", "a\n\nrainy", "rain", "a\n\nrain\n\nb"],
    ],
    [
      "detectable_content:number_placeholders",
      { num_placeholders: 2 },
      ["[a] [b]"],
      ["[a]", "[a\n] [b"],
    ],
    [
      "detectable_content:postscript",
      { postscript_marker: "P.S." },
      ["Yes\nP.S. No", "p. s. no"],
      ["Yes", "steps."],
    ],
    [
      "detectable_content:postscript",
      { postscript_marker: "P.P.S" },
      ["x\nP.P.S no"],
      ["x\nP.S. no"],
    ],
    [
      "detectable_format:number_bullet_lists",
      { num_bullets: 2 },
      ["* a\n* b", "- a\n  - b"],
      ["* a", "**a**\n* b", "* a\n- b\n* c"],
    ],
    [
      "detectable_format:constrained_response",
      {},
      ["Well. My answer is no."],
      ["My answer is No", "no"],
    ],
    [
      "detectable_format:number_highlighted_sections",
      { num_highlights: 2 },
      ["*a* and **b**"],
      ["**a**", "* a\n* b", "** ** * *"],
    ],
    [
      "detectable_format:multiple_sections",
      { section_spliter: "Part", num_sections: 2 },
      ["Part 1\nx\nPart 2\ny"],
      ["Part 1\nx", "Part X Part Y"],
    ],
    [
      "detectable_format:json_format",
      {},
      ['{"a": 1}', '```json\n{"a": 1}\n```', "[]"],
      ["{a: 1}", '{"a": 1} done', ""],
    ],
    ["detectable_format:title", {}, ["<<A farm>>\nText"], ["<A farm>", "<<>>", "<< >>", "<<a\n>>"]],
    [
      "combination:two_responses",
      {},
      ["a\n******\nb", "******a******b"],
      ["a", "a ****** a", "a ****** ****** b"],
    ],
    [
      "combination:repeat_prompt",
      { prompt_to_repeat: "Say it?" },
      ["say it? Yes."],
      ["Yes. Say it?"],
    ],
    [
      "startend:end_checker",
      { end_phrase: "That is all." },
      ['x that is ALL."\n'],
      ["That is all. x"],
    ],
    ["startend:quotation", {}, [' "a\nb" '], ['"', '"a', "'a'"]],
    ["change_case:english_capital", {}, ["A LLAMA, 2"], ["A llama", "12"]],
    ["change_case:english_lowercase", {}, ["a llama, 2"], ["A llama", "12"]],
    [
      "change_case:capital_word_frequency",
      { capital_frequency: 2, capital_relation: "less than" },
      ["ONE Two"],
      ["ONE TWO", "I AM"],
    ],
    ["punctuation:no_comma", {}, ["a; b"], ["a, b"]],
  ];
  const strict = { kind: "strict", prompt: "" };

  test("are followed, or not", () =>
    expectAll(
      "instruction-checks",
      "followed",
      all.flatMap(([id, options, good, bad]) => [
        ...good.map((text) => [[{ id, options }, text, strict], true] as [unknown[], boolean]),
        ...bad.map((text) => [[{ id, options }, text, strict], false] as [unknown[], boolean]),
        // Nothing follows nothing, and what the data has as null is not given.
        [[{ id, options: { ...options, unused: null } }, " \n", strict], false] as [
          unknown[],
          boolean,
        ],
      ]),
    ));

  test("24 kinds are here", () => expect(new Set(all.map(([id]) => id)).size).toBe(24));

  test("loosely without first and last lines and asterisks", () =>
    expectAll("instruction-checks", "followed", [
      [
        [
          { id: "detectable_format:json_format", options: {} },
          "Sure:\n[1]\nThere!",
          { kind: "loose" },
        ],
        true,
      ],
      [
        [
          { id: "detectable_format:json_format", options: {} },
          "Sure:\n[1]\nThere!",
          { kind: "strict" },
        ],
        false,
      ],
      [[{ id: "punctuation:no_comma", options: {} }, "Sure, here:\nyes", { kind: "loose" }], true],
      [[{ id: "punctuation:no_comma", options: {} }, "a, b", { kind: "loose" }], false],
      [[{ id: "startend:quotation", options: {} }, '**"yes"**', { kind: "loose" }], true],
    ]));

  test("with an argument that is missing or of another kind are refused", () =>
    expectAll("instruction-checks", "wrongArgument", [
      [["keywords:existence", { keywords: ["a"] }], null],
      [["keywords:existence", { keywords: "a" }], "keywords"],
      [["keywords:existence", { keywords: [""] }], "keywords"],
      [["keywords:frequency", { keyword: "a", frequency: 1, relation: "at most" }], "relation"],
      [["length_constraints:number_words", { num_words: null, relation: "at least" }], "num_words"],
      [["punctuation:no_comma", {}], null],
    ]));
});

describe("calls", () => {
  const declared = [
    {
      name: "math.area",
      parameters: {
        type: "dict",
        properties: {
          width: { type: "float" },
          unit: { type: "string" },
          sides: { type: "integer" },
          tags: { type: "array", items: { type: "string" } },
          from: { type: "dict" },
          exact: { type: "boolean" },
        },
        required: ["width"],
      },
    },
    {
      name: "say",
      parameters: { type: "dict", properties: { text: { type: "string" } }, required: [] },
    },
  ];
  const wanted = {
    "math.area": {
      width: [2.5, 3],
      unit: ["sq. m", ""],
      sides: ["", 4],
      tags: ["", ["A-b", "c"]],
      from: ["", { x: [1], y: [2, ""] }],
      exact: ["", true],
    },
  };
  const call = (name: string, given: unknown) => ({
    name,
    arguments: typeof given === "string" ? given : JSON.stringify(given),
  });
  const good: readonly unknown[] = [
    { width: 2.5 },
    { width: 3, unit: "SQ m" },
    { width: 3, unit: "", sides: 4 },
    { width: 3, tags: ["ab", "C"], exact: true },
    { width: 3, from: { x: 1 } },
    { width: 3, from: { y: 2, x: 1 } },
  ];
  const bad: readonly unknown[] = [
    {},
    { width: "2.5" },
    { width: 2 },
    { width: null },
    { width: [2.5] },
    { width: 2.5, colour: "red" },
    { width: 2.5, unit: "feet" },
    { width: 2.5, sides: 4.5 },
    { width: 2.5, sides: "4" },
    { width: 2.5, sides: true },
    { width: 2.5, tags: ["c", "ab"] },
    { width: 2.5, tags: ["ab"] },
    { width: 2.5, tags: "ab,c" },
    { width: 2.5, from: { x: 1, z: 1 } },
    { width: 2.5, from: { y: 2 } },
    { width: 2.5, from: [1] },
    { width: 2.5, exact: "true" },
    { width: 2.5, exact: 1 },
    '{"width": 2.5, "__proto__": {"unit": "feet"}}',
    '{"width": 2.5, "constructor": 1}',
    '{"width": 2.5',
    "null",
    "[2.5]",
    "",
  ];

  test("are the wanted one, with the right values of the right types", () =>
    expectAll("call-comparison", "callProblem", [
      ...good.map(
        (given) => [[call("math.area", given), wanted, declared], null] as [unknown[], null],
      ),
      // Where a model takes no dots.
      [[call("math_area", { width: 3 }), wanted, declared], null],
    ]));

  test("are not, and it says why", async () => {
    const told = await results(
      "call-comparison",
      "callProblem",
      bad.map((given) => [call("math.area", given), wanted, declared]),
    );
    for (const [at, problem] of told.entries()) {
      expect({ of: bad[at], problem }).toEqual({
        of: bad[at],
        problem: expect.stringMatching(/\w/),
      });
    }
    await expectAll("call-comparison", "callProblem", [
      [[call("area", { width: 3 }), wanted, declared], "calls area, not math.area"],
      [[call("math.area", {}), wanted, declared], 'math.area lacks "width"'],
      [[call("math.area", { width: 7 }), wanted, declared], '"width" of math.area is 7'],
      [[call("toString", {}), wanted, declared], "calls toString, not math.area"],
      [[call("math.area", { width: 3 }), wanted, []], "math.area is not declared"],
    ]);
  });

  const say = (...right: string[]) => ({ say: { text: right } });
  const said = (text: string) => call("say", { text });

  test("come in any order, and each counts once", () =>
    expectAll("call-comparison", "callsProblem", [
      [[[], [], declared], null],
      [[[said("b"), said("a")], [say("a"), say("b")], declared], null],
      // Whoever takes the first that fits leaves nothing for the second.
      [[[said("a"), said("b")], [say("a", "b"), say("a")], declared], null],
      [[[said("b"), said("a")], [say("a", "b"), say("a")], declared], null],
      [[[said("a"), said("a")], [say("a"), say("b")], declared], '"text" of say is "a"'],
      [[[said("a")], [say("a"), say("b")], declared], "1 calls, not 2"],
      [[[said("a"), said("a")], [say("a")], declared], "2 calls, not 1"],
      [[[said("a")], [], declared], "1 calls, not 0"],
    ]));

  test("declarations become JSON Schema", () =>
    expectAll("call-requests", "toolsOf", [
      [
        [[declared[0]]],
        [
          {
            type: "function",
            function: {
              name: "math.area",
              parameters: {
                type: "object",
                properties: {
                  width: { type: "number" },
                  unit: { type: "string" },
                  sides: { type: "integer" },
                  tags: { type: "array", items: { type: "string" } },
                  from: { type: "object" },
                  exact: { type: "boolean" },
                },
                required: ["width"],
              },
            },
          },
        ],
      ],
    ]));
});

test("CSV with quotes, line ends and commas in its fields", () =>
  expectAll("data-files", "parseCsv", [
    [
      ['a,b\n"c, ""d""","e\nf"\r\n,\n', "x.csv"],
      [
        ["a", "b"],
        ['c, "d"', "e\nf"],
        ["", ""],
      ],
    ],
    [["\uFEFFa", "x.csv"], [["a"]]],
    [["a,", "x.csv"], [["a", ""]]],
    [["", "x.csv"], []],
    [
      ['a\n"b', "x.csv"],
      { error: "x.csv:2: a quote that is not closed, or in the middle of a field" },
    ],
    [
      ['a\nb"c', "x.csv"],
      { error: "x.csv:2: a quote that is not closed, or in the middle of a field" },
    ],
  ]));

test("questions in each of the sets' formats", async () => {
  const folder = mkdtempSync(join(tmpdir(), "cria-questions-"));
  try {
    const write = (name: string, text: string) => {
      writeFileSync(join(folder, name), text);
      return join(folder, name);
    };
    const table = write(
      "old_trades_test.csv",
      '"Who, then, shoes horses?",a smith,a baker,a monk,a cook,A\n',
    );
    const mmlu = { question: "Q", subject: "s", choices: ["x", "y"] };
    const hub = write("hub.jsonl", `${JSON.stringify({ ...mmlu, answer: 1 })}\n`);
    const wrong = write("wrong.jsonl", `${JSON.stringify({ ...mmlu, answer: 2 })}\n`);
    const shod = {
      ...{ subject: "old_trades", question: "Who, then, shoes horses?", answer: 0 },
      choices: ["a smith", "a baker", "a monk", "a cook"],
    };
    await expectAll("choice-prompts", "readMmlu", [
      [[[table]], [{ id: "mmlu-0", ...shod }]],
      // A folder stands for the tables in it.
      [[[folder]], [{ id: "mmlu-0", ...shod }]],
      [[[hub]], [{ id: "mmlu-0", ...mmlu, answer: 1 }]],
      [[[wrong]], { error: `${wrong}:1: expected a choice's number from 0 as "answer", got 2` }],
    ]);
    const choices = { text: ["x", "y"], label: ["1", "2"] };
    const arc = { id: "a", question: "Q", choices, answerKey: "2" };
    const file = write("arc.jsonl", `${JSON.stringify(arc)}\n`);
    const odd = write("odd.jsonl", `${JSON.stringify({ ...arc, answerKey: "B" })}\n`);
    // Neither labels nor a key: nothing may be taken for equal to nothing.
    const { answerKey: _, ...keyless } = { ...arc, choices: { text: ["x", "y"] } };
    const bald = write("bald.jsonl", `${JSON.stringify(keyless)}\n`);
    await expectAll("choice-prompts", "readArc", [
      [[[file]], [{ id: "a", subject: "arc", question: "Q", choices: ["x", "y"], answer: 1 }]],
      [[[odd]], { error: `${odd}:1: expected one of 1,2 as "answerKey", got "B"` }],
      [[[bald]], { error: expect.stringContaining("expected 2 to 10 texts with labels") }],
    ]);
    const question = [[{ role: "user", content: "Q" }]];
    const lines = [
      { id: "simple_12", question, function: [{ name: "f" }] },
      { id: "live_parallel_3-0-1", question, function: [{ name: "f" }] },
      { id: "live_irrelevance_1-2-3", question, function: { name: "f" } },
      { id: "multi_step_0", question, function: [{ name: "f" }], results: [[1]] },
    ];
    const calls = write("calls.jsonl", lines.map((line) => JSON.stringify(line)).join("\n"));
    const truth = [
      { id: "simple_12", ground_truth: [{ f: {} }] },
      { id: "live_parallel_3-0-1", ground_truth: [{ f: { a: [1] } }, { f: { a: [2] } }] },
      { id: "multi_step_0", ground_truth: [[{ f: {} }]] },
    ];
    const answers = write("right.jsonl", truth.map((line) => JSON.stringify(line)).join("\n"));
    const [found] = (await results("call-requests", "readCalls", [[calls, answers]])) as object[][];
    expect(found).toMatchObject([
      { category: "simple", steps: [[{ f: {} }]], goesOn: false },
      { category: "live_parallel", steps: [[{ f: { a: [1] } }, { f: { a: [2] } }]], goesOn: false },
      { category: "live_irrelevance", steps: [], goesOn: false, functions: [{ name: "f" }] },
      { category: "multi_step", steps: [[{ f: {} }]], goesOn: true, results: [[1]] },
    ]);
    const java = write("java.jsonl", JSON.stringify({ ...lines[0], id: "simple_java_1" }));
    const bare = write(
      "bare.jsonl",
      JSON.stringify({ id: "simple_12", ground_truth: [{ f: { a: 1 } }] }),
    );
    await expectAll("call-requests", "readCalls", [
      [
        [java, answers],
        { error: `${java}:1: "simple_java" is not among the categories that are compared here` },
      ],
      [
        [calls, bare],
        { error: expect.stringContaining(`${bare}:1: expected {"name": {"parameter"`) },
      ],
      [[calls], { error: expect.stringContaining("possible_answer") }],
    ]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

describe("estimates", () => {
  test("a share's error, and that of one by clusters, as their formulas have it", async () => {
    const share = [1, 0, 1, 1, 0];
    const [plain, clustered, one, none] = (await results("estimates", "ratio", [
      [share],
      [
        [2, 0, 1],
        [2, 3, 1],
      ],
      [[1]],
      [[]],
    ])) as { value: number | null; standardError: number | null; count: number }[];
    expect(plain).toMatchObject({ value: 0.6, count: 5 });
    expect(plain?.standardError).toBeCloseTo(Math.sqrt((0.6 * 0.4) / 4), 12);
    // Deviations by cluster: 2 - 2 / 2, 0 - 3 / 2, 1 - 1 / 2.
    expect(clustered).toMatchObject({ value: 0.5, count: 6 });
    expect(clustered?.standardError).toBeCloseTo(Math.sqrt((3 / 2) * (1 + 2.25 + 0.25)) / 6, 12);
    expect(one).toMatchObject({ value: 1, standardError: null });
    expect(none).toMatchObject({ value: null, standardError: null });
  });

  test("the mean of scores of the same units knows that they go together", async () => {
    const [first, opposite] = (await results("estimates", "ratio", [
      [[1, 0, 1, 0]],
      [[0, 1, 0, 1]],
    ])) as object[];
    const [same, cancelling] = (await results("estimates", "meanOfSameUnits", [
      [[first, first]],
      [[first, opposite]],
    ])) as { value: number; standardError: number }[];
    expect(same?.standardError).toBeCloseTo(Math.sqrt(0.25 / 3), 12);
    expect(cancelling).toMatchObject({ value: 0.5, standardError: 0 });
  });
});
