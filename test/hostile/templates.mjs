// Templates that a hostile model file could have: each fails or is written, within its budget of time
// and memory, while the event loop goes on, and nothing is printed.
import * as vocabulary from "../support/vocabulary-model.mjs";

const many = (text, count) => text.repeat(count);

/** A value that is made of itself, sixty times. */
function grows(next, first = "'xx'") {
  return `{% set n = namespace(a=${first}) %}{% for i in range(60) %}{% set n.a = ${next} %}{% endfor %}{{ n.a }}`;
}

function doubles(next) {
  return `{% set a = (0, 1) %}${many(`{% set a = ${next} %}`, 60)}`;
}

const LONG = "{% set a = ('a' * 300000) | replace('c', 'd') %}";

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
  "a division that no processor has": "{{ 1 is divisibleby(0) }}",
  "the other one": "{{ (-9223372036854775807 - 1) is divisibleby(-1) }}",
  "the same in a list": "{{ [1] | select('divisibleby', 0) | list }}",
  "an order that is none": "{{ [9, 10, '10', '9', none, 1.5] | sort }}",
};
/** Sanitizers have allocators of their own, which count no text that grows: its memory is not bounded there. */
const sanitized = process.env.CRIA_TEST_PATIENCE !== undefined;
const GROWING = {
  "a text times a number": "{{ 'x' * 20000000 }}",
  "a text times any number": "{{ 'x' * 9000000000000000000 }}",
  "a text that grows": grows("n.a ~ n.a"),
  "a replace that grows": grows("n.a | replace('x', 'xx')"),
  "a replace of nothing that grows": grows("n.a.replace('', 'xx')"),
  "a list that grows": grows("n.a + n.a", "[1]"),
  "a block that grows":
    "{% set n = namespace(a='x') %}{% for i in range(60) %}{% set b %}{{ n.a }}{{ n.a }}{% endset %}{% set n.a = b %}{% endfor %}",
  "a wide indent": "{{ 'a\nb' | indent(3000000000) }}",
  "an indent of less than nothing": "{{ 'a\nb' | indent(-1) }}",
  "a wide indent of many lines": "{{ ('a\n' * 100000) | indent(100000) }}",
  "a wide indent of JSON": "{{ {'a': {'b': [1, 2]}} | tojson(indent=1000000000) }}",
  "long separators of JSON":
    "{% set a = 'x' * 100000 %}{{ (range(100000) | list) | tojson(separators=[a, a]) }}",
  "a join with a long text": "{% set a = 'x' * 10000 %}{{ range(100000) | join(a) }}",
  "a join that is a method": "{% set a = 'x' * 10000 %}{{ (range(100000) | list).join(a) }}",
  "a filtered block": "{% filter upper %}{{ 'x' * 20000000 }}{% endfilter %}",
  "much of its own": "{% set a = 'x' * 1000000 %}{% for i in range(1000) %}{{ a }}{% endfor %}",
  // Values that hold others many times.
  "a value that is compared": `${doubles("[a, a]")}{{ a == a }}`,
  "a value that is printed": `${doubles("[a, a]")}{{ a }}`,
  "a value that is JSON": `${doubles("[a, a]")}{{ a | tojson }}`,
  "a value that is a key": `${doubles("(a, a)")}{% set b = {a: 1} %}{{ b[a] }}`,
  "a value that is looked for": `${doubles("(a, a)")}{{ a in [a] }}`,
  "a value that is counted": `${doubles("[a, a]")}{{ [a] | select('equalto', a) | list }}`,
  // Time.
  "a text in a text": `${LONG}{{ (a ~ 'b') in (a ~ a ~ a ~ a ~ a ~ a ~ a ~ a) }}`,
  "a text in a text, otherwise": `${LONG}{{ a is in(a ~ a) }}`,
  "a split at nearly nothing": `${LONG}{{ (a ~ a ~ a ~ a) | split(a ~ 'b') }}`,
};
const SLOW = {
  "loops in loops":
    "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}",
  "a macro that calls itself twice":
    "{% macro f(n) %}{% if n > 0 %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}",
  "a list in a list in a list": "{% for i in range(100000) %}{% set a = [a] %}{% endfor %}",
};
const WRITTEN = {
  nothing: "",
  "brackets that may be": `{{ ${many("(", 1900)}1${many(")", 1900)} }}`,
  "some blocks": many("{% for i in [1] %}", 60) + many("{% endfor %}", 60),
  "a long sum": `{{ 1${many("+1", 1900)} }}`,
  "many sets": many("{% set a = 1 %}", 3000),
  "numbers in order":
    "{{ ([3, 1.5, 2] | sort) == [1.5, 2, 3] }}{{ ['b', 'a'] | sort | join(',') }}",
};
/** Within the time that there is, but not under sanitizers. */
const LONG_WRITTEN = {
  "blocks that may be": many("{% for i in [1] %}", 190) + many("{% endfor %}", 190),
  "a replace that shrinks": "{{ ('ab' * 200000) | replace('ab', 'a') }}",
  "a replace in a block": "{% filter replace('x', 'yy') %}{{ 'x' * 200000 }}{% endfilter %}",
  "blanks to strip": "{{ (' ' * 200000) | trim }}{% set a = ' ' * 200000 %}{{ a.lstrip(a) }}",
  "a block of blanks": "{% filter trim %}{{ ' ' * 200000 }}{% endfilter %}",
  "many pieces of its own": "{{ 'a' * 200000 }}",
};

const model = await vocabulary.vocabularyModel(process.argv[2]);

const before = process.memoryUsage.rss();
/** What they have of memory at a time, and as much again for what the allocator keeps. */
const MOST_MEMORY = 200e6;

const a = { type: "string", pattern: "^(?=a)b" };
const f = { name: "f", parameters: { type: "object", properties: { a } } };
const requestOf = (template) =>
  vocabulary.requestOf(template, undefined, [{ type: "function", function: f }]);

let id = 0;
async function outcome(template) {
  try {
    await model.startRender(++id, requestOf(template));
    await model.startFormat(++id, requestOf(template));
    return "written";
  } catch (error) {
    return error.code;
  }
}

/** Turns of the event loop until it settles. */
async function turnsOf(work) {
  let turns = 0;
  let running = true;
  const next = () => {
    turns += 1;
    if (running) setImmediate(next);
  };
  setImmediate(next);
  const settled = await work;
  running = false;
  return { settled, turns };
}

function expectEqual(name, got, expected) {
  if (got !== expected) throw new Error(`${name}: ${got}`);
}

for (const [name, template] of Object.entries({ ...FAILING, ...(!sanitized && GROWING) })) {
  expectEqual(name, await outcome(template), "ERR_TEMPLATE");
}
/** ThreadSanitizer makes everything too slow for the two seconds that a template has. */
const outOfTime = (got) => got === "ERR_TEMPLATE" && /tsan/.test(process.env.CRIA_TEST_PRELOAD);

for (const [name, template] of Object.entries({ ...WRITTEN, ...(!sanitized && LONG_WRITTEN) })) {
  const got = await outcome(template);
  if (!outOfTime(got)) expectEqual(name, got, "written");
}
for (const [name, template] of Object.entries(SLOW)) {
  const { settled, turns } = await turnsOf(outcome(template));
  expectEqual(name, settled, "ERR_TEMPLATE");
  if (turns < 100) throw new Error(`${name}: the event loop had ${turns} turns meanwhile`);
}
const grown = process.memoryUsage.rss() - before;
if (grown > MOST_MEMORY && !sanitized) throw new Error(`Memory grew by ${grown} bytes`);

// The same at once, for those who want it.
try {
  model.renderTemplate(requestOf(FAILING["a range without an end"]));
  throw new Error("It was written");
} catch (error) {
  expectEqual("at once", error.code, "ERR_TEMPLATE");
}

// One that is stopped ends before its time, and lets the others go on; so does all of it at the end.
const codeOf = (work) =>
  work.then(
    () => "written",
    (error) => error.code,
  );
const stopped = codeOf(model.startRender(++id, requestOf(SLOW["loops in loops"])));
model.cancelWork(id);
await model.startRender(++id, requestOf("{{ 1 }}"));
expectEqual("stopped", await stopped, "ERR_DISPOSED");
const left = codeOf(model.startRender(++id, requestOf(SLOW["loops in loops"])));
const closing = model.closeWork();
expectEqual("disposed", await left, "ERR_DISPOSED");
await closing;
await model.close();
