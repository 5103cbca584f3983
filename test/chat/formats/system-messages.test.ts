import { type ChatMessageInput, Model, promptToString, renderChat } from "../../../lib/index.js";
import { TEMPLATES, template } from "../../support/templates.js";
import { vocabularyFile } from "../../support/vocabularies.js";

let model: Model;
beforeAll(async () => {
  model = await Model.load(vocabularyFile("llama-bpe"), { vocabOnly: true });
});
afterAll(() => model.dispose());

const system = (content: string): ChatMessageInput => ({ role: "system", content });
const says = (content: string): ChatMessageInput => ({ role: "user", content });
const user = says("Where do llamas live?");
const assistant: ChatMessageInput = { role: "assistant", content: "In the Andes." };
const CHATS: readonly (readonly [string, readonly ChatMessageInput[]])[] = [
  ["two in front", [system("FIRSTX"), system("SECONDX"), user]],
  ["one behind a question", [user, assistant, system("FIRSTX"), user]],
  ["one in front and one behind", [system("FIRSTX"), user, assistant, system("SECONDX"), user]],
  ["an empty one behind", [system("FIRSTX"), { role: "developer", content: "" }, user]],
];

const show = (source: string, messages: readonly ChatMessageInput[]): string =>
  promptToString(renderChat(messages, { model, format: "template", chatTemplate: source }));

// Some templates refuse the order, which they say. None leaves a system message out in silence.
describe.each(CHATS)("system messages, %s", (_, messages) => {
  test.each(TEMPLATES)("are shown by %s, or refused", (name) => {
    let shown: string;
    try {
      shown = show(template(name), messages);
    } catch (error) {
      expect(error).toMatchObject({ code: "ERR_TEMPLATE" });
      return;
    }
    for (const mark of ["FIRSTX", "SECONDX"]) {
      if (JSON.stringify(messages).includes(mark)) expect(shown).toContain(mark);
    }
  });
});

// The first system message is all that it shows.
const ONE =
  "{% for m in messages %}{% if m.role != 'system' or loop.first %}" +
  "[{{ m.role }}]{{ m.content }}{% endif %}{% endfor %}";

test("where a template has one alone, all come first, in their order", () => {
  const chat = [system("One."), user, assistant, system("Two."), user];
  expect(show(ONE, chat)).toContain(
    "[system]One.\n\nTwo.[user]Where do llamas live?[assistant]In the Andes.[user]Where",
  );
  // Who shows them where they stand is left alone.
  const all = "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}";
  expect(show(all, chat)).toContain("[assistant]In the Andes.[system]Two.[user]");
});

test("what a user writes does not decide whether a system message is shown", () => {
  const shown = (text: string) =>
    show(ONE, [system("One."), user, assistant, system("Two."), says(text)]);
  for (const text of [
    "criasystem0mark criasystem1mark",
    // Anything that could be a number of a mark.
    Array.from({ length: 100 }, (_, i) => String(i).padStart(20, "0")).join(" "),
    "One. Two.",
  ]) {
    expect(shown(text)).toContain(`[system]One.\n\nTwo.[user]Where`);
  }
});

test.each(["upper", "lower", "title", "capitalize", "trim", "tojson", "string"])(
  "a template that writes them by the filter %s shows them",
  (filter) => {
    const source = `{% for m in messages %}[{{ m.role }}]{{ m.content | ${filter} }}{% endfor %}`;
    const shown = show(source, [system("One."), user, system("Two."), user]);
    // Where they stand.
    expect(shown.toLowerCase().replaceAll('"', "")).toContain(
      "[system]one.[user]where do llamas live?[system]two.[user]where",
    );
  },
);

describe("where a template has none", () => {
  const none =
    "{% for m in messages %}{% if m.role != 'system' %}[{{ m.role }}]{{ m.content }}" +
    "{% endif %}{% endfor %}";
  const refuses =
    "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system') }}{% endif %}" +
    "[{{ m.role }}]{{ m.content }}{% endfor %}";
  const parts =
    "{% for m in messages %}{% if m.role != 'system' %}[{{ m.role }}]" +
    "{% for part in m.content %}{{ part.text }}{% endfor %}{% endif %}{% endfor %}";
  const question = "Where do llamas live?";

  test.each<[string, readonly ChatMessageInput[], string]>([
    ["one behind", [user, assistant, system("One."), system("Two."), user], "One.\n\nTwo.\n"],
    ["two in front", [system("One."), system("Two."), user], "One.\n\nTwo.\n"],
    ["two kinds", [system("One."), { role: "developer", content: "Two." }, user], "One.\n\nTwo.\n"],
    ["one empty", [system(""), system("Two."), user], "Two.\n"],
    ["three", [system("1"), user, assistant, system("2"), system("3"), user], "1\n\n2\n\n3\n"],
    ["no text", [system(""), user, assistant, user], ""],
  ])("all go in front of the user's first words: %s", (_, messages, text) => {
    for (const source of [none, parts]) {
      const shown = show(source, messages);
      expect(shown).toContain(`[user]${text}${question}`);
      expect(shown.match(/One\./g) ?? []).toHaveLength(text.includes("One.") ? 1 : 0);
    }
  });

  test("those in front, where it refuses the role", () => {
    expect(show(refuses, [system("One."), system("Two."), user])).toContain(
      `[user]One.\n\nTwo.\n${question}`,
    );
  });

  test("an assistant that speaks first does not say them", () => {
    const shown = show(none, [system("One."), system("Two."), assistant, user]);
    expect(shown).toContain("[user]One.\n\nTwo.[assistant]In the Andes.[user]");
  });

  test("they are the user's words where nobody else says anything", () => {
    expect(show(none, [system("One."), system("Two.")])).toContain("[user]One.\n\nTwo.");
  });

  test("tools that are described there are shown", () => {
    const tool = { name: "find_llama", description: "Finds it.", parameters: { type: "object" } };
    const prompt = renderChat([system("One."), system("Two."), user], {
      ...{ model, format: "template", chatTemplate: none },
      ...{ tools: [{ type: "function", function: tool }], toolFallback: "describe" },
    });
    const shown = promptToString(prompt);
    for (const text of ["One.", "Two.", "find_llama"]) expect(shown).toContain(text);
  });
});

test("a template that shows them now and then is refused", () => {
  const fickle =
    "{% for m in messages %}{% if m.role != 'system' or messages | length < 4 %}" +
    "[{{ m.role }}]{{ m.content }}{% endif %}{% endfor %}";
  expect(() => show(fickle, [user, assistant, system("One."), user])).toThrow(
    expect.objectContaining({ code: "ERR_TEMPLATE", message: expect.stringContaining("first") }),
  );
});
