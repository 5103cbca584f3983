import { type ChatMessageInput, Model, promptToString, renderChat } from "../../../lib/index.js";
import { TEMPLATES, template } from "../../support/templates.js";
import { vocabularyFile } from "../../support/vocabularies.js";

let model: Model;
beforeAll(async () => {
  model = await Model.load(vocabularyFile("llama-bpe"), { vocabOnly: true });
});
afterAll(() => model.dispose());

const system = (content: string): ChatMessageInput => ({ role: "system", content });
const user: ChatMessageInput = { role: "user", content: "Where do llamas live?" };
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

test("where a template has one alone, all come first, in their order", () => {
  const first =
    "{% for m in messages %}{% if m.role != 'system' or loop.first %}" +
    "[{{ m.role }}]{{ m.content }}{% endif %}{% endfor %}";
  const chat = [system("One."), user, assistant, system("Two."), user];
  expect(show(first, chat)).toContain(
    "[system]One.\n\nTwo.[user]Where do llamas live?[assistant]In the Andes.[user]Where",
  );
  // Who shows them where they stand is left alone.
  const all = "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}";
  expect(show(all, chat)).toContain("[assistant]In the Andes.[system]Two.[user]");
});

test("where a template has none, all go in front of the first message", () => {
  const none =
    "{% for m in messages %}{% if m.role != 'system' %}[{{ m.role }}]{{ m.content }}" +
    "{% endif %}{% endfor %}";
  expect(show(none, [user, assistant, system("One."), system("Two."), user])).toContain(
    "[user]One.\n\nTwo.\nWhere do llamas live?[assistant]",
  );
});

test("a template that shows them now and then is refused", () => {
  const fickle =
    "{% for m in messages %}{% if m.role != 'system' or messages | length < 4 %}" +
    "[{{ m.role }}]{{ m.content }}{% endif %}{% endfor %}";
  expect(() => show(fickle, [user, assistant, system("One."), user])).toThrow(
    expect.objectContaining({ code: "ERR_TEMPLATE", message: expect.stringContaining("first") }),
  );
});
