import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { formatByTexts, recogniseFormat } from "../../../lib/chat/formats/recognise-format.js";
import { templateTexts } from "../../../lib/messages/template-texts.js";
import { llamaCppDir } from "../../support/llama-cpp-dir.js";
import { ROOT } from "../../support/paths.js";
import { processorTime } from "../../support/processor-time.js";

const directory = join(llamaCppDir(), "models", "templates");
const files = readdirSync(directory).filter((file) => file.endsWith(".jinja"));
const read = (file: string) => readFileSync(join(directory, file), "utf8");
const LLAMA = new Map([
  ["meta-llama-Llama-3.1-8B-Instruct.jinja", "llama-3.1"],
  ["meta-llama-Llama-3.2-3B-Instruct.jinja", "llama-3.2"],
  ["meta-llama-Llama-3.3-70B-Instruct.jinja", "llama-3.1"],
]);
const llama31 = read("meta-llama-Llama-3.1-8B-Instruct.jinja");
const llama32 = read("meta-llama-Llama-3.2-3B-Instruct.jinja");

/** Of the shape that Llama 3's own has, and others have in other words. */
const llama3 = `{% for message in messages %}
{%- set turn = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' -%}
{{ (bos_token if loop.first else '') + turn + message['content'] | trim + '<|eot_id|>' }}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}`;

describe("a template is recognised", () => {
  test.each(files)("%s for what it is", (file) => {
    const format = LLAMA.get(file) ?? null;
    expect(recogniseFormat(read(file))).toBe(format);
    expect(formatByTexts(read(file))).toBe(format);
  });

  test("whatever white space is around it", () => {
    expect(recogniseFormat(`\n${llama31.trim()}`)).toBe("llama-3.1");
  });

  test("by what it prints, where its text is not known", () => {
    expect(recogniseFormat(llama3)).toBe("llama-3");
    expect(recogniseFormat(llama31.replaceAll("message.role", 'message["role"]'))).toBe(
      "llama-3.1",
    );
    expect(recogniseFormat(llama32.replace("26 Jul 2024", ""))).toBe("llama-3.2");
    const demo = readFileSync(join(ROOT, "scripts/demo-model/chat-template.jinja"), "utf8");
    expect(recogniseFormat(demo)).toBe("llama-3.1");
  });

  test.each<[string, string]>([
    ["another role", llama3.replace("assistant", "bot")],
    ["another control token", llama3.replace("<|eot_id|>", "<|eot_id|><|end|>")],
    ["another end of turn", llama3.replace("<|eot_id|>", "<|im_end|>")],
    ["messages as they are", llama3.replace(" | trim", "")],
    ["a system message of its own", llama3.replace("''", "'You are a helpful assistant.'")],
    ["text between its tags", `${llama3}Think first.`],
    ["another tool format", llama31.replace('"parameters": \'', '"arguments": \'')],
    ["a word more", `${llama31}{{ 'please' }}`],
    ["no end of a header", llama3.replaceAll("<|end_header_id|>", "")],
    ["other words", llama31.replace("Do not use variables.", "Use no variables.")],
    [
      "a system message more",
      llama32.replace('system_message = ""', 'system_message = "Be kind."'),
    ],
    ["words less", llama32.replace("Cutting Knowledge Date: December 2023\\n", "")],
    ["a tag that never ends", `${llama3}{{ "`],
    ["nothing", ""],
  ])("and one with %s is not", (_, template) => {
    expect(recogniseFormat(template)).toBeNull();
  });

  test("no template is no format", () => {
    expect(recogniseFormat(null)).toBeNull();
  });

  test("in time linear in its length", () => {
    const pieces = ["{", "{{", "{#", "'", '{{ "\\', "{{ ' ", "<|eot_id|>", "{% raise_exception("];
    const time = processorTime(() => {
      for (const piece of pieces) {
        recogniseFormat(`<|start_header_id|> | trim ${piece.repeat(200_000)}`);
      }
    });
    expect(time).toBeLessThan(5_000);
  });
});

describe("the texts of a template", () => {
  test("are literals and what is between the tags, in order", () => {
    const template = `a{{ "b}}" ~ 'c\\'\\n' }}d{# "no" #}{%- if x == "e" -%}f{% endif %}{g}`;
    expect(templateTexts(template)).toEqual(["a", "b}}", "c'\n", "d", "e", "f", "{g}"]);
  });

  test("leave out what an exception says", () => {
    expect(templateTexts(`{{ raise_exception( 'No!') }}{{ x("yes") }}`)).toEqual(["yes"]);
  });

  test.each(["{{", "{% x", "{# x", "{{ 'x }}", '{{ "\\'])(
    "of an unfinished %s are none",
    (text) => {
      expect(templateTexts(text)).toBeNull();
    },
  );
});
