// Templates that a hostile model file could have: each fails or is written, and nothing is printed.
import { createRequire } from "node:module";
import { engineInfo } from "../../dist/index.js";

const addon = createRequire(import.meta.url)(engineInfo().path);
const many = (text, count) => text.repeat(count);

const FAILING = {
  "a macro that calls itself": "{% macro f(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}",
  "a macro that is given itself": "{% macro f(g) %}{{ g(g) }}{% endmacro %}{{ f(f) }}",
  "a macro that calls itself as a caller":
    "{% macro f() %}{{ caller() }}{% endmacro %}{% macro g() %}{% call f() %}{{ g() }}{% endcall %}{% endmacro %}{{ g() }}",
  "blocks in blocks": many("{% if true %}", 5000) + many("{% endif %}", 5000),
  "a chain of branches": `{% if 0 %}${many("{% elif 0 %}", 5000)}{% endif %}`,
  "sets in sets": many("{% set a %}", 300) + many("{% endset %}", 300),
  brackets: `{{ ${many("(", 100_000)}1${many(")", 100_000)} }}`,
  "a chain of nots": `{{ ${many("not ", 50_000)}1 }}`,
  "too long a template": many("x", 300_000),
  "a range without an end": "{{ range(9223372036854775800, 9223372036854775807, 5) }}",
  "a range of too much": "{% set r = range %}{% for i in r(1000000000) %}{% endfor %}",
  "a value that holds itself": "{% set n = namespace() %}{% set n.x = n %}{{ n | tojson }}",
  "a list that holds itself": "{% set a = [] %}{% set _ = a.append(a) %}{{ a }}",
  "a list that holds itself, unnamed": "{% set a = [] %}{% set f = a['app' ~ 'end'] %}{{ f([a]) }}",
  "a list that holds itself by a filter": "{% set a = [] %}{{ a | append(a) }}",
  "a value of too many": `{% set n = namespace(x=[1]) %}${many("{% set n.x = [n.x, n.x] %}", 100)}{{ n.x }}`,
  "a block without an end": "{% for x in messages %}",
  "a text without an end": "{{ 'a",
  "no expression": "{{ }}",
  "a break of nothing": "{% break %}",
  "an unknown statement": "{% include 'x' %}",
  "an unknown filter": "{{ 1 | nosuch }}",
  "a number too big": "{{ 99999999999999999999999 }}",
  "an exception of its own": "{{ raise_exception(messages[0].content) }}",
};
const WRITTEN = {
  nothing: "",
  "brackets that may be": `{{ ${many("(", 1900)}1${many(")", 1900)} }}`,
  "blocks that may be": many("{% for i in [1] %}", 190) + many("{% endfor %}", 190),
  "a long sum": `{{ 1${many("+1", 1900)} }}`,
  "many sets": many("{% set a = 1 %}", 3000),
};

const model = new addon.Model();
await model.load(
  {
    path: process.argv[2],
    gpuLayers: 0,
    devices: [],
    splitMode: "layer",
    tensorSplit: [],
    mainGpu: 0,
    mmap: true,
    mlock: false,
    checkTensors: false,
    vocabOnly: true,
    metadataOverrides: {},
  },
  null,
);

function outcome(template) {
  const request = {
    template,
    messages: '[{"role":"user","content":"hi"}]',
    tools:
      '[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{"a":{"type":"string","pattern":"^(?=a)b"}}}}}]',
    variables: "{}",
    addGenerationPrompt: true,
    now: 0,
    date: null,
    toolChoice: "auto",
    parallelToolCalls: true,
  };
  try {
    model.renderTemplate(request);
    model.templateFormat(request);
    return "written";
  } catch (error) {
    return error.code;
  }
}

for (const [name, template] of Object.entries(FAILING)) {
  if (outcome(template) !== "ERR_TEMPLATE") throw new Error(`${name}: ${outcome(template)}`);
}
for (const [name, template] of Object.entries(WRITTEN)) {
  if (outcome(template) !== "written") throw new Error(`${name}: ${outcome(template)}`);
}
