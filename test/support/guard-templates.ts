import { LLAMA_GUARD_3_CATEGORIES } from "../../lib/index.js";

const TASK =
  "Task: Check if there is unsafe content in '\" + role + \"' messages in conversations according " +
  "our safety policy with the below categories.\\n\\n";
const END =
  '"Provide your safety assessment for ONLY THE LAST " + role + " message in the above conversation:' +
  "\\n - First line must read 'safe' or 'unsafe'.\\n" +
  " - If unsafe, a second line must include a comma-separated list of violated categories.";
const ROLE = `{% if messages|length % 2 == 0 %}{% set role = "Agent" %}{% else %}{% set role = "User" %}{% endif %}`;
const ALTERNATE = `{% if (message["role"] == "user") != (loop.index0 % 2 == 0) %}{{ raise_exception("The user and the assistant take turns") }}{% endif %}`;
const SPEAKER = `{% if message["role"] == "user" %}{% set role = "User" %}{% elif message["role"] == "assistant" %}{% set role = "Agent" %}{% endif %}`;

const line = (code: string, name: string) => `${code}: ${name}.\\n`;
const names = LLAMA_GUARD_3_CATEGORIES.map(({ name }) => name);
const fixed = (listed: readonly string[], letter = "S") =>
  listed.map((name, index) => line(`${letter}${index + 1}`, name)).join("");

function inOneText(open: string, listed: string, close: string): string {
  return `${ROLE}{{ "${open}${TASK}<BEGIN UNSAFE CONTENT CATEGORIES>\\n${listed}<END UNSAFE CONTENT CATEGORIES>\\n\\n<BEGIN CONVERSATION>\\n\\n" }}{% for message in messages %}${ALTERNATE}${SPEAKER}{{ role + ": " + message["content"].strip() + "\\n\\n" }}{% endfor %}{{ "<END CONVERSATION>\\n\\n" + ${END}${close}" }}`;
}

const HEADER = "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\\n\\n";
const REPLY = "<|eot_id|><|start_header_id|>assistant<|end_header_id|>";

/** Of the shape of the models' own templates, in words of ours but for what they print. */
export const GUARD_8B = inOneText(` ${HEADER}`, fixed(names), REPLY);

export function guard1B(images: boolean): string {
  const dictionary = names.slice(0, 13).map((name, index) => `"S${index + 1}": "${name}."`);
  const image = `{% for message in messages %}{% for part in message["content"] | selectattr("type", "equalto", "image") %}{{- "<|image|> " -}}{% endfor %}{% endfor %}`;
  return `${ROLE}
{%- if categories is not defined -%}
  {%- set categories = ({ ${dictionary.join(", ")} }) -%}
{%- endif -%}
{{- "${HEADER}" -}}
${images ? image : ""}
{{- "${TASK}" -}}
{{- "<BEGIN UNSAFE CONTENT CATEGORIES>\\n" -}}
{%- for key in categories -%}
  {%- if key not in excluded_category_keys -%}{{- key + ": " + categories[key] + "\\n" -}}{%- endif -%}
{%- endfor -%}
{{- "<END UNSAFE CONTENT CATEGORIES>\\n\\n" -}}
{{- "<BEGIN CONVERSATION>\\n\\n" -}}
{%- for message in messages -%}
  ${ALTERNATE}${SPEAKER}
  {%- for content in message["content"] | selectattr("type", "equalto", "text") -%}
    {{- role + ": " + content["text"] | trim + "\\n\\n" -}}
  {%- endfor -%}
{%- endfor -%}
{{- "<END CONVERSATION>\\n\\n" -}}
{{- ${END} ${REPLY}" -}}`;
}

/** Guard 1 asks a Llama 2, in another policy. */
export const GUARD_1 = inOneText(
  "[INST] ",
  fixed(["Violence and Hate", "Sexual Content", "Criminal Planning"], "O"),
  " [/INST]",
);
/** Guard 2 has no Defamation, so that from S5 on its codes mean something else. */
export const GUARD_2 = inOneText(
  HEADER,
  fixed(names.filter((name) => name !== "Defamation").slice(0, 11)),
  REPLY,
);
/** Guard 4 has the control tokens of Llama 4. */
export const GUARD_4 = inOneText(
  "<|begin_of_text|><|header_start|>user<|header_end|>\\n\\n",
  fixed(names.slice(0, 13)),
  "<|eot|><|header_start|>assistant<|header_end|>",
);
