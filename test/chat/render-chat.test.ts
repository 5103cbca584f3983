import { runInNewContext } from "node:vm";
import {
  type ChatMessageInput,
  type Model,
  promptToString,
  type RenderChatOptions,
  renderChat,
} from "../../lib/index.js";

const hi: ChatMessageInput[] = [{ role: "user", content: "Hi" }];
const shown = (options?: RenderChatOptions) => promptToString(renderChat(hi, options));
const dateOf = (options?: RenderChatOptions) => /Today Date: (.*)\n/.exec(shown(options))?.[1];

const LLAMA_3 = ["<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"];
const fake = (chatTemplate: string | null, controls: readonly string[] = []) =>
  ({
    chatTemplate,
    description: "a fake",
    tokenId: (text: string) => (controls.includes(text) ? 1 : null),
  }) as unknown as Model;
const llama3 = `{% for message in messages %}{{ '<|start_header_id|>' + message['role']
  + '<|end_header_id|>\\n\\n' + message['content'] | trim + '<|eot_id|>' }}{% endfor %}`;

describe("the date", () => {
  test("is today's by default, in local time", () => {
    const now = new Date();
    const today = now.toLocaleDateString("en-GB", {
      day: "2-digit",
      month: "short",
      year: "numeric",
    });
    // A test that runs at midnight.
    const before = dateOf();
    expect([today.replace("Sept", "Sep"), dateOf({ date: new Date() })]).toContain(before);
  });

  test("given is shown as the models know it, a string as it is", () => {
    expect(dateOf({ date: new Date(2024, 6, 26) })).toBe("26 Jul 2024");
    expect(dateOf({ date: new Date(2026, 8, 1, 23, 59) })).toBe("01 Sep 2026");
    expect(dateOf({ date: runInNewContext("new Date(2024, 11, 31)") })).toBe("31 Dec 2024");
    expect(dateOf({ date: "the day before yesterday" })).toBe("the day before yesterday");
  });
});

describe("the format", () => {
  test("is Llama 3.1 without a model, and named otherwise", () => {
    expect(shown({ date: "x" })).toBe(shown({ date: "x", format: "llama-3.1" }));
    expect(shown({ format: "llama-3" })).toBe(
      "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>" +
        "<|start_header_id|>assistant<|end_header_id|>\n\n",
    );
  });

  test("is that of the model's template", () => {
    expect(shown({ model: fake(llama3) })).toBe(shown({ format: "llama-3" }));
    const model = fake(llama3);
    expect(shown({ model, format: "llama-3.1" })).toContain("Today Date");
    expect(shown({ model })).toBe(shown({ format: "llama-3" }));
  });

  test("is that of the vocabulary where there is no template", () => {
    expect(shown({ model: fake(null, LLAMA_3) })).toBe(shown({ format: "llama-3" }));
    const model = fake(null, [...LLAMA_3, "<|eom_id|>", "<|python_tag|>"]);
    expect(shown({ model, date: "x" })).toBe(shown({ format: "llama-3.1", date: "x" }));
    expect(() => shown({ model: fake(null) })).toThrow(
      expect.objectContaining({
        code: "ERR_UNSUPPORTED",
        message: expect.stringMatching(/no chat template.*give the `format`/),
      }),
    );
  });

  test('"template" needs a model', () => {
    expect(() => shown({ format: "template" })).toThrow(
      expect.objectContaining({
        code: "ERR_INVALID_ARGUMENT",
        message: expect.stringMatching(/a model, .* for `options\.model`, got undefined/),
      }),
    );
  });
});

describe("options", () => {
  const named = (name: string, extra: object = {}) => ({
    type: "function",
    function: { name, ...extra },
  });
  const throwing = new Proxy(
    {},
    {
      get: () => {
        throw new Error("get");
      },
    },
  );

  test.each<[string, unknown, RegExp]>([
    ["no object", 5, /a plain object for `options`/],
    ["a misspelt one", { tool: [] }, /did you mean `tools`\?/],
    ["an unknown format", { format: "llama-5" }, /one of "auto", .*, got "llama-5"/],
    ["a model that is none", { model: {} }, /a Model for `options\.model`, got an object/],
    ["a hostile model", { model: throwing }, /a Model for `options\.model`/],
    ["tools that are no list", { tools: {} }, /an array of tool definitions for `options\.tools`/],
    ["a tool that is none", { tools: [null] }, /a tool definition for `options\.tools\[0\]`/],
    ["a tool without JSON", { tools: [throwing] }, /JSON can hold for `options\.tools\[0\]`/],
    ["a tool of a type", { tools: [{ type: "x" }] }, /"function" for `options\.tools\[0\]\.type`/],
    ["a tool without a function", { tools: [{ type: "function" }] }, /tools\[0\]\.function`/],
    ["a tool without a name", { tools: [named("")] }, /`options\.tools\[0\]\.function\.name`/],
    [
      "a description that is none",
      { tools: [named("f", { description: 5 })] },
      /a string for `options\.tools\[0\]\.function\.description`, got 5/,
    ],
    [
      "parameters that are none",
      { tools: [named("f", { parameters: [] })] },
      /a JSON Schema object for `options\.tools\[0\]\.function\.parameters`/,
    ],
    ["two tools of a name", { tools: [named("f"), named("f")] }, /Two tools.*`options\.tools\[1\]/],
    ["an unknown built-in tool", { builtinTools: ["x"] }, /`options\.builtinTools\[0\]`, got "x"/],
    ["a built-in tool alone", { builtinTools: "brave_search" }, /an array of built-in tools/],
    ["no boolean", { toolsInUserMessage: 1 }, /a boolean for `options\.toolsInUserMessage`/],
    ["none either", { addGenerationPrompt: null }, /a boolean for `options\.addGenerationPrompt`/],
    ["a number as date", { date: 5 }, /a valid Date or a string for `options\.date`, got 5/],
    ["no date", { date: new Date(Number.NaN) }, /a valid Date/],
    ["variables that are none", { templateVariables: [] }, /`options\.templateVariables`/],
  ])("refuse %s", (_, options, message) => {
    expect(() => renderChat(hi, options as never)).toThrow(
      expect.objectContaining({
        code: "ERR_INVALID_ARGUMENT",
        message: expect.stringMatching(message),
      }),
    );
  });

  test.each(["tools", "builtinTools", "model", "templateVariables", "date", "format"])(
    "refuse a revoked proxy, also as %s",
    (option) => {
      const { proxy, revoke } = Proxy.revocable({}, {});
      revoke();
      const refused = expect.objectContaining({ code: "ERR_INVALID_ARGUMENT" });
      expect(() => renderChat(hi, { [option]: proxy } as never)).toThrow(refused);
      expect(() => renderChat(hi, proxy as never)).toThrow(refused);
    },
  );

  test("refuse OpenAI's custom tools", () => {
    expect(() => renderChat(hi, { tools: [{ type: "custom" }] })).toThrow(
      expect.objectContaining({
        code: "ERR_UNSUPPORTED",
        message: expect.stringMatching(/`options\.tools\[0\]\.type`/),
      }),
    );
  });

  test("that are undefined count as not given", () => {
    const options = { format: undefined, tools: undefined, model: undefined, date: undefined };
    expect(shown(options as never)).toBe(shown());
  });
});
