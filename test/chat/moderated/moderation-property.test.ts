import {
  type ChatEvent,
  ChatSession,
  type ChatSessionOptions,
  defineTool,
} from "../../../lib/index.js";
import { flagging } from "../../support/moderators.js";
import { Random } from "../../support/random.js";
import { call, type ScriptedAnswer, scripted } from "../../support/scripted-context.js";

const MARKER = "Xyzzy";
const WORDS = [
  "llama",
  "Lima",
  "3.5",
  "e.g.",
  "of",
  "山羊。",
  "\n",
  "\n\n",
  "wool!",
  "it?",
  "-",
  "é",
];

const tick = () => new Promise(setImmediate);

/** Sentences, lines, words without an end, calls; the marker somewhere in about two of three. */
function randomAnswer(random: Random): string {
  const parts: string[] = [];
  for (let i = random.below(60); i >= 0; i--) {
    const kind = random.below(20);
    if (kind === 0) parts.push("a".repeat(random.below(600)));
    else if (kind === 1) parts.push(`\n${call("note", { text: random.pick(WORDS) })}\n`);
    else if (kind < 5) parts.push(`${random.pick(WORDS)}.`);
    else parts.push(random.pick(WORDS));
  }
  if (random.below(3) > 0) {
    const marked = random.below(3) === 0 ? call("note", { text: MARKER }) : MARKER;
    parts.splice(random.below(parts.length + 1), 0, marked);
  }
  return parts.join(random.pick([" ", " ", "\n", ". "]));
}

function cut(answer: string, random: Random): (string | Promise<unknown>)[] {
  const pieces: (string | Promise<unknown>)[] = [];
  const characters = [...answer];
  while (characters.length > 0) {
    pieces.push(characters.splice(0, 1 + random.below(random.pick([3, 30, 300]))).join(""));
    if (random.below(4) === 0) pieces.push(tick());
  }
  return pieces;
}

async function talk(answer: ScriptedAnswer["pieces"], options: ChatSessionOptions) {
  const ran: string[] = [];
  const note = defineTool({
    name: "note",
    parameters: { type: "object", properties: { text: { type: "string" } } },
    execute: ({ text = "" }) => {
      ran.push(text);
      return "noted";
    },
  });
  const script = scripted([{ pieces: answer }, "Done.", "Done."]);
  const chat = new ChatSession(script.context, {
    tools: [note],
    constrainTools: false,
    ...options,
  });
  const turn = chat.send("Go on.");
  const events: ChatEvent[] = [];
  for await (const event of turn) events.push(event);
  const result = await turn.result();
  const history = JSON.stringify(chat.messages);
  await chat.send("Go on.").result();
  const first = events.findIndex(({ type }) => type === "tool-result");
  const answered = events.slice(0, first < 0 ? undefined : first);
  const shown = answered.map((event) => (event.type === "text" ? event.text : "")).join("");
  const prompt = script.asked.at(-1)?.prompt;
  return { events, result, history, prompt, ran, shown };
}

test("nothing of a flagged piece or behind it is ever seen, however an answer comes", async () => {
  let blocked = 0;
  for (let seed = 1; seed <= 300; seed++) {
    const answer = randomAnswer(new Random(seed));
    const random = new Random(seed);
    const maxToolRounds = random.below(2);
    const free = await talk([answer], { maxToolRounds });
    const slow = random.below(4);
    const guard = flagging(MARKER, async () => {
      for (let i = random.below(slow + 1); i > 0; i--) await tick();
    });
    const held = await talk(cut(answer, random), { maxToolRounds, guard });
    const { events, result, history, prompt, ran, shown } = held;
    if (!answer.includes(MARKER)) {
      expect(shown).toBe(free.shown);
      expect(ran).toEqual(free.ran);
      expect({ ...result, usage: free.result.usage }).toEqual(free.result);
      continue;
    }
    blocked += 1;
    const marked = free.shown.indexOf(MARKER);
    expect(free.shown.startsWith(shown)).toBe(true);
    if (marked >= 0) expect(shown.length).toBeLessThanOrEqual(marked);
    expect(result.stopReason).toBe("moderated");
    expect(result.blocked?.safe).toBe(false);
    expect(`${JSON.stringify([events, result])}${history}${prompt}`).not.toContain(MARKER);
    expect(ran).toEqual([]);
  }
  expect(blocked).toBeGreaterThan(100);
});
