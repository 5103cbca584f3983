// Whether an answer follows an instruction. 24 of IFEval's 25 kinds, with the arguments of its data; which one is
// missing, and where the checks differ from the original's, the README tells.

/** Each: `(answer, arguments) => boolean`. Arguments that the data leaves out, or has as null, are undefined. */
export const INSTRUCTIONS = {
  "keywords:existence": (text, { keywords }) => keywords.every((word) => count(text, word) > 0),
  "keywords:forbidden_words": (text, { forbidden_words: words }) =>
    !words.some((word) =>
      new RegExp(`(?<![\\p{L}\\p{N}_])${escaped(word)}(?![\\p{L}\\p{N}_])`, "iu").test(text),
    ),
  "keywords:frequency": (text, { keyword, frequency, relation }) =>
    compared(count(text, keyword), relation, frequency),
  "keywords:letter_frequency": (text, { letter, let_frequency: wanted, let_relation: relation }) =>
    compared(count(text, letter), relation, wanted),
  "length_constraints:number_words": (text, { num_words: wanted, relation }) =>
    compared((text.match(/[\p{L}\p{N}_]+/gu) ?? []).length, relation, wanted),
  "length_constraints:number_sentences": (text, { num_sentences: wanted, relation }) =>
    compared(sentences(text), relation, wanted),
  "length_constraints:number_paragraphs": (text, { num_paragraphs: wanted }) =>
    partsBetween(text, "***")?.length === wanted,
  "length_constraints:nth_paragraph_first_word": nthParagraph,
  "detectable_content:number_placeholders": (text, { num_placeholders: wanted }) =>
    (text.match(/\[[^\n]*?\]/g) ?? []).length >= wanted,
  "detectable_content:postscript": (text, { postscript_marker: marker }) =>
    postscript(text, marker),
  "detectable_format:number_bullet_lists": (text, { num_bullets: wanted }) =>
    lines(text).filter((line) => /^\s*(?:\*[^*]|-)/.test(line)).length === wanted,
  "detectable_format:constrained_response": (text) =>
    ["yes", "no", "maybe"].some((word) => text.includes(`My answer is ${word}.`)),
  "detectable_format:number_highlighted_sections": (text, { num_highlights: wanted }) =>
    highlights(text) >= wanted,
  "detectable_format:multiple_sections": (text, { section_spliter: word, num_sections: wanted }) =>
    (text.match(new RegExp(`${escaped(word)}\\s?\\d+`, "g")) ?? []).length >= wanted,
  "detectable_format:json_format": isJson,
  "detectable_format:title": (text) =>
    (text.match(/<<[^\n]+?>>/g) ?? []).some((title) => title.replace(/^<+|>+$/g, "").trim() !== ""),
  "combination:two_responses": (text) => {
    const parts = partsBetween(text, "******");
    return parts?.length === 2 && parts[0].trim() !== parts[1].trim();
  },
  "combination:repeat_prompt": (text, { prompt_to_repeat: wanted }) =>
    lower(text).startsWith(lower(wanted)),
  "startend:end_checker": (text, { end_phrase: wanted }) =>
    lower(text.trim().replace(/^"+|"+$/g, "")).endsWith(lower(wanted)),
  "startend:quotation": (text) => /^".*"$/s.test(text.trim()),
  "change_case:english_capital": (text) => isUpper(text),
  "change_case:english_lowercase": (text) => text === text.toLowerCase() && /\p{Ll}/u.test(text),
  "change_case:capital_word_frequency": (
    text,
    { capital_frequency: wanted, capital_relation: relation },
  ) => compared((text.match(/[\p{L}\p{N}'’-]+/gu) ?? []).filter(isUpper).length, relation, wanted),
  "punctuation:no_comma": (text) => !text.includes(","),
};

const isNumber = (value) => Number.isInteger(value) && value >= 0;
const isText = (value) => typeof value === "string" && value !== "";
const isTexts = (value) => Array.isArray(value) && value.length > 0 && value.every(isText);
const isRelation = (value) => value === "less than" || value === "at least";
/** What each argument has to be. */
const ARGUMENTS = {
  ...{ keywords: isTexts, forbidden_words: isTexts },
  ...{ keyword: isText, letter: isText, first_word: isText, postscript_marker: isText },
  ...{ section_spliter: isText, prompt_to_repeat: isText, end_phrase: isText },
  ...{ frequency: isNumber, let_frequency: isNumber, capital_frequency: isNumber },
  ...{
    num_words: isNumber,
    num_sentences: isNumber,
    num_paragraphs: isNumber,
    nth_paragraph: isNumber,
  },
  ...{
    num_placeholders: isNumber,
    num_bullets: isNumber,
    num_highlights: isNumber,
    num_sections: isNumber,
  },
  ...{ relation: isRelation, let_relation: isRelation, capital_relation: isRelation },
};
/** What an instruction cannot do without. */
const NEEDED = {
  "keywords:existence": ["keywords"],
  "keywords:forbidden_words": ["forbidden_words"],
  "keywords:frequency": ["keyword", "frequency", "relation"],
  "keywords:letter_frequency": ["letter", "let_frequency", "let_relation"],
  "length_constraints:number_words": ["num_words", "relation"],
  "length_constraints:number_sentences": ["num_sentences", "relation"],
  "length_constraints:number_paragraphs": ["num_paragraphs"],
  "length_constraints:nth_paragraph_first_word": ["num_paragraphs", "nth_paragraph", "first_word"],
  "detectable_content:number_placeholders": ["num_placeholders"],
  "detectable_content:postscript": ["postscript_marker"],
  "detectable_format:number_bullet_lists": ["num_bullets"],
  "detectable_format:number_highlighted_sections": ["num_highlights"],
  "detectable_format:multiple_sections": ["section_spliter", "num_sections"],
  "startend:end_checker": ["end_phrase"],
  "change_case:capital_word_frequency": ["capital_frequency", "capital_relation"],
};

/** The argument that an instruction lacks, or that is nothing it can work with; undefined where all is well. */
export function wrongArgument(id, options) {
  return (NEEDED[id] ?? []).find((name) => !ARGUMENTS[name](options[name]));
}

/**
 * Whether the answer follows it: as it is ("strict"), or in any of eight forms ("loose"), without its first line,
 * its last, and its asterisks, each or all. An empty answer follows nothing.
 */
export function followed({ id, options }, answer, { prompt, kind }) {
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== null));
  // The data names what is to be repeated; where it does not, it is the prompt.
  const all = id === "combination:repeat_prompt" ? { prompt_to_repeat: prompt, ...given } : given;
  const forms = kind === "loose" ? looseForms(answer) : [answer];
  return forms.some((form) => form.trim() !== "" && INSTRUCTIONS[id](form, all));
}

function looseForms(answer) {
  const all = lines(answer);
  const cut = [all.slice(1), all.slice(0, -1), all.slice(1, -1)].map((some) =>
    some.join("\n").trim(),
  );
  const forms = [answer, ...cut];
  return [...forms, ...forms.map((form) => form.replaceAll("*", ""))];
}

function compared(number, relation, wanted) {
  return relation === "less than" ? number < wanted : number >= wanted;
}

/** How often a text is in another, whatever the case; they do not overlap. */
function count(text, part) {
  return lower(text).split(part.toLowerCase()).length - 1;
}

function lower(text) {
  return text.trim().toLowerCase();
}

const lines = (text) => text.split("\n");
const escaped = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
const isUpper = (text) => text === text.toUpperCase() && /\p{Lu}/u.test(text);

function sentences(text) {
  const segments = new Intl.Segmenter("en", { granularity: "sentence" }).segment(text);
  return [...segments].filter(({ segment }) => /[\p{L}\p{N}]/u.test(segment)).length;
}

/** What lies between marks, empty ones at the ends left out; undefined where one in the middle is empty. */
function partsBetween(text, mark) {
  const parts = text.split(mark);
  const inner = parts.slice(1, -1);
  if (inner.some((part) => part.trim() === "")) return undefined;
  return parts.filter((part) => part.trim() !== "");
}

function nthParagraph(text, { num_paragraphs: wanted, nth_paragraph: nth, first_word: word }) {
  const paragraphs = text.split(/\n\n/).filter((one) => one.trim() !== "");
  const [first = ""] = (paragraphs[nth - 1] ?? "").trim().split(/\s/);
  const bare = first.replace(/^["']+/, "").replace(/[.,?!'"].*$/s, "");
  return paragraphs.length === wanted && bare.toLowerCase() === word.toLowerCase();
}

function postscript(text, marker) {
  const letters = marker.replace(/[^\p{L}]/gu, "");
  const dots = [...letters].map(escaped).join("\\.?\\s?");
  return new RegExp(`(?:^|[\\s>*_])${dots}\\b`, "imu").test(text);
}

function highlights(text) {
  const bold = /\*\*([^\n*]+)\*\*/g;
  const filled = ([, inside]) => inside.trim() !== "";
  const single = text.replaceAll(bold, "").matchAll(/\*([^\n*]+)\*/g);
  return [...text.matchAll(bold)].filter(filled).length + [...single].filter(filled).length;
}

function isJson(text) {
  const [, fenced] = /^\s*```(?:json)?\s*\n([\s\S]*?)\n?\s*```\s*$/i.exec(text) ?? [];
  try {
    JSON.parse(fenced ?? text);
    return true;
  } catch {
    return false;
  }
}
