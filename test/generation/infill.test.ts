import {
  type InfillSurroundings,
  infillPrompt,
  LateGeneration,
  readInfill,
} from "../../lib/generation/infill.js";
import { type Context, type Generation, type InfillInput, Model } from "../../lib/index.js";
import { MODEL } from "../support/paths.js";

/** Control tokens of the demo model in roles that it was not trained for. */
const ROLES = {
  fim_pre: "<|start_header_id|>",
  fim_suf: "<|end_header_id|>",
  fim_mid: "<|python_tag|>",
  fim_rep: "<|begin_of_text|>",
  fim_sep: "<|eot_id|>",
} as const;

async function load(roles: readonly (keyof typeof ROLES)[]): Promise<Model> {
  const plain = await Model.load(MODEL, { vocabOnly: true });
  const ids = roles.map((role) => [
    `tokenizer.ggml.${role}_token_id`,
    plain.tokenId(ROLES[role]) as number,
  ]);
  await plain.dispose();
  return Model.load(MODEL, { metadataOverrides: Object.fromEntries(ids) });
}

let model: Model;
let context: Context;
beforeAll(async () => {
  model = await load(["fim_pre", "fim_suf", "fim_mid", "fim_rep", "fim_sep"]);
  context = await model.createContext({ contextSize: 512 });
});
afterAll(() => model.dispose());

const GREEDY = { temperature: 0, maxTokens: 8 };
const id = (role: keyof typeof ROLES) => model.tokenId(ROLES[role]) as number;

/** Each letter is a token. */
const letters = (text: string) => Int32Array.from([...text], (one) => one.codePointAt(0) as number);
/** Of the private use, shown as `<-1>` and so on. */
const CONTROL = 0xe000;
const [PRE, SUF, MID, REP, SEP, BOS] = [1, 2, 3, 4, 5, 6].map((one) => CONTROL + one) as Six;
type Six = [number, number, number, number, number, number];
const WITH_FILES = { prefix: PRE, suffix: SUF, middle: MID, repository: REP, file: SEP };
const ALONE = { ...WITH_FILES, repository: -1, file: -1 };

/** The prompt as text, its control tokens as `<-1>`. */
async function prompt(input: InfillInput, around: Partial<InfillSurroundings> = {}) {
  const ids = await infillPrompt(readInfill(input), {
    ...{ contextSize: 1000, batchSize: 400, maxTokens: 100, bos: -1, tokens: WITH_FILES },
    tokenize: async (text) => letters(text),
    ...around,
  });
  const shown = (one: number) =>
    one > CONTROL && one < CONTROL + 9 ? `<-${one - CONTROL}>` : String.fromCodePoint(one);
  return Array.from(ids, shown).join("");
}

describe("the prompt is llama-server's", () => {
  test("of one text, with the names of repository and file", async () => {
    expect(await prompt({ prefix: "ab", suffix: "yz" })).toBe(
      "<-4>myproject\n<-5>filename\n<-1>ab<-2>yz<-3>",
    );
    expect(await prompt({ prefix: "ab", suffix: "yz", path: "a.js" })).toContain(
      "<-5>a.js\n<-1>ab",
    );
  });

  test("without tokens for those", async () => {
    const around = { tokens: ALONE, bos: BOS };
    expect(await prompt({ prefix: "ab", suffix: "" }, around)).toBe("<-6><-1>ab<-2><-3>");
    const files = [
      { path: "one", text: "1" },
      { path: "two", text: "2" },
    ];
    expect(await prompt({ prefix: "ab", suffix: "z", files }, around)).toBe(
      "\n\n--- snippet ---\n\n1\n\n--- snippet ---\n\n2<-6><-1>ab<-2>z<-3>",
    );
  });

  test("with other files in front, and BOS behind them", async () => {
    const files = [
      { path: "one", text: "1" },
      { path: "two", text: "2" },
    ];
    expect(await prompt({ prefix: "ab", suffix: "z", files }, { bos: BOS })).toBe(
      "<-4>myproject\n<-5>one\n1<-5>two\n2<-5>filename\n<-6><-1>ab<-2>z<-3>",
    );
  });

  test("of long texts what is nearest: three quarters of a batch in front, one behind", async () => {
    const prefix = Array.from({ length: 5000 }, (_, at) => String.fromCodePoint(0x4e00 + at)).join(
      "",
    );
    const shown = await prompt({ prefix, suffix: prefix });
    expect(shown).toContain(`<-1>${prefix.slice(-300)}<-2>${prefix.slice(0, 98)}<-3>`);
  });

  test.each([0, 1, 5, 30, 200, 900])(
    "of %i characters in files what fits, the last ones",
    async (length) => {
      const files = [1, 2, 3].map((one) => ({ path: `${one}`, text: `${one}`.repeat(length) }));
      const whole = `<-4>myproject\n${files.map(({ path, text }) => `<-5>${path}\n${text}`).join("")}<-5>filename\n`;
      const tokens = (text: string) => text.replace(/<-\d>/g, "X").length;
      const shown = await prompt({ prefix: "ab", suffix: "yz", files });
      const [front, own] = shown.split("<-1>") as [string, string];
      expect(`<-1>${own}`).toBe("<-1>ab<-2>yz<-3>");
      expect(whole.endsWith(front)).toBe(true);
      expect(tokens(front)).toBe(Math.min(tokens(whole), 900 - 7));
    },
  );

  test("only what may fit is tokenized, and no character is cut in two", async () => {
    const seen: string[] = [];
    const tokenize = async (text: string) => {
      seen.push(text);
      return letters(text);
    };
    const long = "🦙".repeat(1 << 20);
    await prompt(
      {
        prefix: `${long}x`,
        suffix: `x${long}`,
        files: [1, 2, 3].map((one) => ({ path: `${one}`, text: long })),
      },
      { tokenize },
    );
    expect(seen.join("").length).toBeLessThan(200_000);
    for (const text of seen) expect(Buffer.from(text).toString()).toBe(text);
  });

  test("whatever the room is", async () => {
    for (const contextSize of [1, 2, 8, 9, 40]) {
      const shown = await prompt(
        { prefix: "a".repeat(99), suffix: "z".repeat(99) },
        { contextSize, maxTokens: undefined },
      );
      expect(shown).toMatch(/<-1>a*<-2>z*<-3>$/);
    }
  });
});

describe("context.infill", () => {
  const input = { prefix: "Once upon <|eot_id|>", suffix: "the <|python_tag|>end" };

  test("generates behind that prompt, in which text stays text", async () => {
    const ids = [
      ...[
        id("fim_rep"),
        ...model.tokenize("myproject\n"),
        id("fim_sep"),
        ...model.tokenize("a.txt\n"),
      ],
      id("fim_sep"),
      ...model.tokenize("filename\n"),
      ...[model.specialTokens.bos as number, id("fim_pre"), ...model.tokenize(input.prefix)],
      ...[id("fim_suf"), ...model.tokenize(input.suffix), id("fim_mid")],
    ];
    const wanted = await context.generateText(ids, GREEDY);
    const files = [{ path: "a.txt", text: "" }];
    const generation = context.infill({ ...input, files }, GREEDY);
    let streamed = "";
    for await (const { text } of generation) streamed += text;
    const { text, usage } = await generation.result();
    expect(usage.promptTokens).toBe(ids.length);
    expect(text).toBe(wanted.text);
    expect(streamed).toBe(text);
  });

  test("is cancelled before it begins, and while it runs", async () => {
    const early = context.infill(input);
    early.cancel();
    expect(await early.result()).toMatchObject({ stopReason: "cancelled", text: "" });
    const late = context.infill(input, {
      logitBias: { [model.specialTokens.eos as number]: -100 },
    });
    for await (const _ of late) break;
    expect((await late.result()).stopReason).not.toBe("max-tokens");
    await using disposed = context.infill(input);
    await disposed[Symbol.asyncDispose]();
  });

  test("rejects with the signal's reason", async () => {
    const stop = new AbortController();
    const generation = context.infill(input, { signal: stop.signal });
    stop.abort("enough");
    await expect(generation.result()).rejects.toBe("enough");
    await expect(async () => {
      for await (const _ of generation);
    }).rejects.toBe("enough");
    const before = context.infill(input, { signal: AbortSignal.abort("before") });
    await expect(before.result()).rejects.toBe("before");
  });

  test.each([
    ["no input", undefined],
    ["no suffix", { prefix: "a" }],
    ["a prefix that is no text", { prefix: 1, suffix: "" }],
    ["files that are none", { prefix: "", suffix: "", files: "a" }],
    ["a file without a path", { prefix: "", suffix: "", files: [{ text: "" }] }],
    ["an unknown name", { prefix: "", suffix: "", sufix: "" }],
  ])("refuses %s at once", (_, wrong) => {
    expect(() => context.infill(wrong as never)).toThrow(
      expect.objectContaining({ code: "ERR_INVALID_ARGUMENT" }),
    );
  });

  test("refuses options that generate would refuse", () => {
    expect(() => context.infill(input, { topK: -1 })).toThrow(
      expect.objectContaining({ code: "ERR_INVALID_ARGUMENT" }),
    );
  });

  test.each([[[]], [["fim_pre", "fim_mid"]], [["fim_pre", "fim_suf"]]] as const)(
    "is unsupported with the tokens %j alone",
    async (roles) => {
      const other = await load([...roles]);
      const own = await other.createContext({ contextSize: 64 });
      expect(() => own.infill(input)).toThrow(
        expect.objectContaining({ code: "ERR_UNSUPPORTED", message: expect.stringMatching(/FIM/) }),
      );
      await other.dispose();
      expect(() => own.infill(input)).toThrow(expect.objectContaining({ code: "ERR_DISPOSED" }));
    },
  );

  test("a prompt that cannot be made is nobody's unhandled rejection", async () => {
    const failed = new LateGeneration(Promise.reject<Generation>(new Error("no")));
    await new Promise((resolve) => setImmediate(resolve));
    await expect(failed.result()).rejects.toThrow("no");
  });
});
