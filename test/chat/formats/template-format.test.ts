import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  type ChatMessageInput,
  Model,
  promptToString,
  renderChat,
  type ToolDefinition,
} from "../../../lib/index.js";
import { insideOf } from "../../../lib/model/loaded-model.js";
import { REPORTS, tool } from "../../support/conversations.js";
import { FIXTURES } from "../../support/paths.js";
import {
  everywhere,
  render,
  request,
  TEMPLATES,
  template,
  tokensOf,
} from "../../support/templates.js";
import { vocabularyFile } from "../../support/vocabularies.js";

const hi: readonly ChatMessageInput[] = [{ role: "user", content: "hi" }];
const failure = (message: RegExp) =>
  expect.objectContaining({ code: "ERR_TEMPLATE", message: expect.stringMatching(message) });

let model: Model;
let commandR: Model;
beforeAll(async () => {
  const options = { vocabOnly: true };
  model = await Model.load(vocabularyFile("llama-bpe"), options);
  commandR = await Model.load(vocabularyFile("command-r"), options);
});
afterAll(() => Promise.all([model.dispose(), commandR.dispose()]));

test("there are many templates to try", () => {
  expect(TEMPLATES.length).toBeGreaterThan(60);
});

describe.each(TEMPLATES)("%s", (name) => {
  test.each(Object.entries(REPORTS))("renders %s, or says why not", (_, [messages, options]) => {
    try {
      const shown = promptToString(render(model, template(name), messages, options));
      expect(shown).toContain("Peru");
      // Again from the cache.
      expect(promptToString(render(model, template(name), messages, options))).toBe(shown);
    } catch (error) {
      expect(error).toEqual(failure(/^The model's chat template failed: \w.{8,}/s));
    }
  });

  test("writes a text with a control token in it as any other text", () => {
    const show = (text: string) => {
      try {
        return promptToString(render(model, template(name), ...everywhere(text)));
      } catch (error) {
        return (error as Error).message;
      }
    };
    expect(show("<|eot_id|>")).toBe(show("XQZ").replaceAll("XQZ", "<|eot_id|>"));
  });
});

test("nearly all of them render everything", () => {
  const failed = TEMPLATES.flatMap((name) =>
    Object.entries(REPORTS).flatMap(([kind, [messages, options]]) => {
      try {
        render(model, template(name), messages, options);
        return [];
      } catch {
        return [`${name}: ${kind}`];
      }
    }),
  );
  expect(failed.length).toBeLessThanOrEqual(TEMPLATES.length / 20);
});

interface Golden {
  input: {
    messages: { role: string; content?: unknown }[];
    tools?: ToolDefinition[];
    add_generation_prompt: boolean;
    date_string: string;
  };
  output: string;
}

/** What jinja2 makes of the templates, where results are texts: objects go down as JSON text. */
const goldens = JSON.parse(readFileSync(join(FIXTURES, "chat-templates.json"), "utf8")) as Record<
  string,
  Golden[]
>;

test.each([
  ["llama3.1", "meta-llama-Llama-3.1-8B-Instruct"],
  ["llama3.1", "meta-llama-Llama-3.3-70B-Instruct"],
  ["llama3.2", "meta-llama-Llama-3.2-3B-Instruct"],
])("goldens of %s are what %s gives", (key, name) => {
  const told = (goldens[key] as Golden[]).filter(({ input }) =>
    input.messages.every(
      ({ role, content }) => !["tool", "ipython"].includes(role) || typeof content === "string",
    ),
  );
  expect(told.length).toBeGreaterThan(4);
  for (const { input, output } of told) {
    const {
      messages,
      tools = [],
      add_generation_prompt,
      date_string,
      ...templateVariables
    } = input;
    const options = {
      tools,
      addGenerationPrompt: add_generation_prompt,
      date: date_string,
      templateVariables,
    };
    expect(
      promptToString(render(model, template(name), messages as ChatMessageInput[], options)),
    ).toBe(output);
  }
});

describe("a prompt by a template", () => {
  const own = (source: string, messages = hi, options = {}) =>
    render(model, source, messages, options);

  test("has the template's control tokens as segments, the rest as text", () => {
    const source =
      "{{ bos_token }}{% for m in messages %}<|start_header_id|>{{ m.role }}<|end_header_id|>\n\n" +
      "{{ m.content }}<|eot_id|>{% endfor %}";
    expect(own(source)).toEqual([
      { control: "<|begin_of_text|>" },
      { control: "<|start_header_id|>" },
      { text: "user" },
      { control: "<|end_header_id|>" },
      { text: "\n\nhi" },
      { control: "<|eot_id|>" },
    ]);
  });

  test("has control tokens that are put together, with a role in them", () => {
    expect(own("{{ '<|' + 'eot' + '_id|>' }}")).toContainEqual({ control: "<|eot_id|>" });
    const source = "{% for m in messages %}{{ '<|' ~ m.role ~ '|>' }}{% endfor %}";
    const roles = { role: "user", content: "x" } as const;
    expect(promptToString(own(source, [roles]))).toBe("<|begin_of_text|><|user|>");
  });

  test("gets one BOS where the model wants one, whoever writes it", () => {
    const written = own("{{ bos_token }}x");
    expect(written).toEqual([{ control: "<|begin_of_text|>" }, { text: "x" }]);
    expect(own("x")).toEqual(written);
  });

  test("shows the date that is given", () => {
    const source = "{{ strftime_now('%d %b %Y') }}|{{ date_string }}";
    const shown = (date?: Date | string) => promptToString(own(source, hi, { date })).split(">")[1];
    const today = shown();
    expect(today).toMatch(/^\d\d \w{3} 20\d\d\|\d\d \w{3} 20\d\d$/);
    expect(shown(new Date(2001, 1, 3))).toBe("03 Feb 2001|03 Feb 2001");
    expect(shown("a Monday")).toBe("a Monday|a Monday");
  });

  test("ends where the answer begins, if it is to", () => {
    const source = "{{ messages[0].content }}{% if add_generation_prompt %}!{% endif %}";
    expect(promptToString(own(source))).toBe("<|begin_of_text|>hi!");
    const options = { addGenerationPrompt: false };
    expect(promptToString(own(source, hi, options))).toBe("<|begin_of_text|>hi");
  });

  test("sees the variables that are given, and not those that cria sets", () => {
    const source = "{{ mood }} {{ enable_thinking }} {{ list | tojson }}";
    const templateVariables = { mood: "glad", enable_thinking: false, list: [1, null, "é\ud800"] };
    expect(promptToString(own(source, hi, { templateVariables }))).toBe(
      '<|begin_of_text|>glad False [1, null, "é\ufffd"]',
    );
    for (const name of ["messages", "tools", "bos_token"]) {
      const reserved = () => own(source, hi, { templateVariables: { [name]: "x" } });
      expect(reserved).toThrow(/is set by cria/);
    }
    for (const value of [1n, () => 1, Number.NaN, new Date(), Symbol("x")]) {
      const wrong = () => own(source, hi, { templateVariables: { value } });
      expect(wrong).toThrow(expect.objectContaining({ code: "ERR_INVALID_ARGUMENT" }));
    }
    const thrower = {
      get mood(): string {
        throw new Error("no");
      },
    };
    expect(() => own(source, hi, { templateVariables: { thrower } })).toThrow(
      expect.objectContaining({ code: "ERR_INVALID_ARGUMENT" }),
    );
    const cycle: Record<string, unknown> = {};
    cycle.self = cycle;
    expect(() => own(source, hi, { templateVariables: cycle })).toThrow(/200 levels/);
  });

  test("has arguments as the template wants them", () => {
    const [messages] = REPORTS.tools;
    const options = {};
    const call = "messages[1].tool_calls[0].function";
    const text = "{{ messages[1].tool_calls[0].function.arguments }}";
    expect(promptToString(own(text, messages, options))).toContain('{"country":"Peru"}');
    const object = `{% for m in messages %}{% if m.tool_calls %}{% for key, value in ${call}.arguments.items() %}{{ key }}={{ value }}{% endfor %}{% endif %}{% endfor %}`;
    expect(promptToString(own(object, messages, options))).toContain("country=Peru");
  });

  test("has no object of more members than the engine takes", () => {
    const properties = Object.fromEntries(Array.from({ length: 10_001 }, (_, i) => [`p${i}`, {}]));
    const parameters = { type: "object", properties };
    const wide: ToolDefinition = { type: "function", function: { name: "f", parameters } };
    expect(() => own("{{ tools }}", hi, { tools: [wide] })).toThrow(
      expect.objectContaining({ code: "ERR_INVALID_ARGUMENT" }),
    );
  });

  test("has numbers as they were written", () => {
    const numbers =
      '{"lat": 38.722252, "sum": 1234567.89, "one": 1.0, "many": 123456789012345.6, "big": 1e+16, "small": 1e-07, "id": 9223372036854775808, "list": [0.1, -2.5]}';
    const called = { id: "abcdefgh1", function: { name: "f", arguments: numbers } };
    const messages: ChatMessageInput[] = [
      ...hi,
      { role: "assistant", content: null, tool_calls: [called] },
      { role: "tool", tool_call_id: "abcdefgh1", content: "x" },
    ];
    const shown = promptToString(render(model, template("Qwen-Qwen2.5-7B-Instruct"), messages));
    for (const [name, value] of [
      ["lat", "38.722252"],
      ["sum", "1234567.89"],
      ["one", "1.0"],
      ["many", "123456789012345.6"],
      ["big", "1e+16"],
      ["small", "1e-07"],
      ["id", "9.223372036854776e+18"],
      ["list", "[0.1, -2.5]"],
    ]) {
      expect(shown).toContain(`"${name}": ${value}`);
    }
    // Values of their own, by another filter.
    const coder = promptToString(render(model, template("Qwen3-Coder"), messages));
    expect(coder).toContain("<parameter=sum>\n1234567.89\n</parameter>");
    const laid = "{{ {'a': [1.25, 'é', {}], 'b': 2} | tojson(indent=2, ensure_ascii=true) }}";
    const begun = "<|begin_of_text|>";
    expect(promptToString(own(laid))).toBe(
      `${begun}{\n  "a": [\n    1.25,\n    "\\u00e9",\n    {}\n  ],\n  "b": 2\n}`,
    );
    const plain = "{{ {'a': [0.5]}.tojson(separators=[',', ':']) }}{{ tojson(100000.5) }}";
    expect(promptToString(own(plain))).toBe(`${begun}{"a":[0.5]}100000.5`);
    const bound = { type: "integer", maximum: 2 ** 63 };
    const given: ToolDefinition = {
      type: "function",
      function: { name: "f", parameters: { type: "object", properties: { a: bound } } },
    };
    const tools = render(model, template("Qwen-Qwen2.5-7B-Instruct"), hi, { tools: [given] });
    expect(promptToString(tools)).toContain('"maximum": 9.223372036854776e+18');
  });

  test("has thoughts apart for templates that take them out of old answers", () => {
    const messages: ChatMessageInput[] = [
      ...hi,
      { role: "assistant", content: "<think>\nsecret\n</think>\n\nHello" },
      ...hi,
    ];
    const shown = promptToString(render(model, template("Qwen-Qwen3-0.6B"), messages));
    expect(shown).not.toContain("secret");
    expect(shown).toContain("<|im_start|>assistant\nHello<|im_end|>");
  });

  test("tokenizes like the engine's own rendering as one string", () => {
    const source = commandR.chatTemplate as string;
    const messages: readonly ChatMessageInput[] = [
      { role: "system", content: "Be brief." },
      { role: "user", content: "Where is Peru?" },
    ];
    const prompt = render(commandR, source, messages);
    const whole = commandR.tokenize(promptToString(prompt), { special: true });
    expect(tokensOf(commandR, prompt)).toEqual([...whole]);
    expect(prompt).toContainEqual({ control: "<|START_OF_TURN_TOKEN|>" });
  });

  test("strips what the vocabulary's tokens strip", async () => {
    const phi = await Model.load(vocabularyFile("phi-3"), { vocabOnly: true });
    const prompt = render(phi, phi.chatTemplate as string, hi);
    const shown = promptToString(prompt);
    expect(shown).toContain("<|user|>hi<|end|>");
    expect(tokensOf(phi, prompt)).toEqual([...phi.tokenize(shown, { special: true })]);
    await phi.dispose();
  });
});

describe("renderChat", () => {
  test("takes the model's own template where it knows no other", () => {
    const prompt = renderChat([{ role: "user", content: "Where is Peru?" }], { model: commandR });
    expect(promptToString(prompt)).toBe(
      "<BOS_TOKEN><|START_OF_TURN_TOKEN|><|USER_TOKEN|>Where is Peru?<|END_OF_TURN_TOKEN|>" +
        "<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>",
    );
  });

  test("tells what the template refuses", () => {
    const messages: ChatMessageInput[] = [...hi, ...hi];
    expect(() => renderChat(messages, { model: commandR })).toThrow(
      failure(/Conversation roles must alternate.*\(line 1, column \d+\)$/),
    );
  });

  test("needs a template, and a model that lives", async () => {
    const llama = () => renderChat(hi, { model, format: "template" });
    expect(llama).toThrow(failure(/has no chat template/));
    const gone = await Model.load(vocabularyFile("command-r"), { vocabOnly: true });
    await gone.dispose();
    expect(() => renderChat(hi, { model: gone })).toThrow(
      expect.objectContaining({ code: "ERR_DISPOSED" }),
    );
  });
});

test("a call of a tool needs arguments that are JSON where the template looks into them", () => {
  const native = insideOf(model).native;
  const [given, options] = REPORTS.tools;
  const whole = request(template("Qwen3-Coder"), given, options);
  const messages = whole.messages as string;
  const broken = { ...whole, messages: messages.replace('\\"Peru\\"}', "") };
  expect(broken.messages).not.toBe(messages);
  expect(() => native.renderTemplate(broken)).toThrow(/arguments of a tool call are not JSON/);
  expect(tool.function.name).toBe("find_capital");
});
