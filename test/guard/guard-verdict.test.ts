import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseGuardVerdict } from "../../lib/index.js";
import { FIXTURES } from "../support/paths.js";
import { processorTime } from "../support/processor-time.js";

type Reply = { reply: string } & (
  | { safe: true }
  | { safe: false; categories: string[]; unknownCodes?: string[] }
  | { unreadable: true }
);

const REPLIES = JSON.parse(readFileSync(join(FIXTURES, "guard-replies.json"), "utf8")) as Reply[];
const code = (code: string) => expect.objectContaining({ code });
const codes = (categories: readonly { code: string }[]) => categories.map(({ code }) => code);

test.each(REPLIES.map((reply) => [JSON.stringify(reply.reply), reply] as const))(
  "the reply %s",
  (_, expected) => {
    const parse = () => parseGuardVerdict(expected.reply);
    if ("unreadable" in expected) {
      expect(parse).toThrow(code("ERR_GUARD_UNREADABLE"));
      return;
    }
    const { safe, categories, unknownCodes, raw } = parse();
    expect({ safe, raw }).toEqual({ safe: expected.safe, raw: expected.reply });
    expect(codes(categories)).toEqual(expected.safe ? [] : expected.categories);
    expect(unknownCodes).toEqual(expected.safe ? [] : (expected.unknownCodes ?? []));
  },
);

test("of each kind there are many", () => {
  const safe = REPLIES.filter((reply) => "safe" in reply && reply.safe).length;
  const unreadable = REPLIES.filter((reply) => "unreadable" in reply).length;
  expect(REPLIES.length).toBeGreaterThan(100);
  expect(safe).toBeGreaterThan(5);
  expect(unreadable).toBeGreaterThan(40);
  expect(REPLIES.length - safe - unreadable).toBeGreaterThan(40);
});

test("one character of any kind more, and `safe` is safe no longer", () => {
  const codesSeen = new Set<unknown>();
  const reported: string[] = [];
  for (let point = 1; point < 0x3100; point++) {
    const character = String.fromCodePoint(point);
    if (" \t\r\n".includes(character)) continue;
    for (const reply of [`${character}safe`, `safe${character}`, `sa${character}fe`]) {
      try {
        if (parseGuardVerdict(reply).safe) reported.push(reply);
      } catch (error) {
        codesSeen.add((error as { code?: unknown }).code);
      }
    }
  }
  expect(reported).toEqual([]);
  expect([...codesSeen]).toEqual(["ERR_GUARD_UNREADABLE"]);
});

test("a code that is excluded, or of another policy, is unknown", () => {
  const excluded = parseGuardVerdict("unsafe\nS5,S1", { exclude: ["S5"] });
  expect(codes(excluded.categories)).toEqual(["S1"]);
  expect(excluded.unknownCodes).toEqual(["S5"]);
  expect(parseGuardVerdict("unsafe\nS14", { variant: "llama-guard-3-1b" })).toMatchObject({
    categories: [],
    unknownCodes: ["S14"],
  });
  const own = { code: "X7", name: "Llama jokes", description: "Told badly." };
  const verdict = parseGuardVerdict("unsafe\nx7,S1", { categories: [own] });
  expect(verdict).toMatchObject({ safe: false, categories: [own], unknownCodes: ["S1"] });
});

test("a reply of any length is read in no time", () => {
  for (const filler of ['"', "[", "S1,", ",", " ", ".", "S", "\n", "unsafe"]) {
    const time = processorTime(() => {
      expect(parseGuardVerdict(`unsafe\n${filler.repeat(200_000)}x`).safe).toBe(false);
      expect(() => parseGuardVerdict(`safe${filler.repeat(200_000)}x`)).toThrow(
        code("ERR_GUARD_UNREADABLE"),
      );
    });
    expect(time).toBeLessThan(2000);
  }
});

test.each([undefined, null, 3, ["safe"], { toString: () => "safe" }])("%p is no reply", (reply) => {
  expect(() => parseGuardVerdict(reply as never)).toThrow(code("ERR_INVALID_ARGUMENT"));
});
