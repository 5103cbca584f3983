import { invalid, show } from "./errors.js";

interface OptionList {
  /** Who takes the options, as a user calls it. */
  readonly owners: readonly string[];
  readonly names: readonly string[];
}

/** Every list that was made by `optionNames`: what tells where an option belongs. */
const LISTS: OptionList[] = [];

/** More lists than this tell nobody where an option belongs, as with `signal`. */
const LISTS_MAX = 4;

/** No name is longer than this, and the distance takes the square of its length. */
const NAME_MAX = 64;

/**
 * The names of the options that `owners` take. A list is made once, where its options are read, and is
 * known to all others: one that is given one of them by mistake says where it belongs.
 */
export function optionNames<const Name extends string>(
  owners: string | readonly string[],
  names: readonly Name[],
): readonly Name[] {
  LISTS.push({ owners: [owners].flat(), names });
  return names;
}

/** What other libraries call our options, as `plain` writes it. */
const FOREIGN: Readonly<Record<string, string>> = {
  abortsignal: "signal",
  cachetypek: "kvCacheType.key",
  cachetypev: "kvCacheType.value",
  ctxcheckpoints: "checkpointMemory",
  ctxsize: "contextSize",
  customstoptriggers: "stop",
  drymultiplier: "dry.multiplier",
  flashattn: "flashAttention",
  frequencypenalty: "penalties.frequency",
  jsonschema: "responseSchema",
  kvunified: "kvCache",
  maxcompletiontokens: "maxTokens",
  maxnewtokens: "maxTokens",
  maxoutputtokens: "maxTokens",
  nbatch: "batchSize",
  nctx: "contextSize",
  ngl: "gpuLayers",
  ngpulayers: "gpuLayers",
  nparallel: "sequences",
  npredict: "maxTokens",
  nprobs: "logprobs",
  nseqmax: "sequences",
  nthreads: "threads",
  nthreadsbatch: "batchThreads",
  nubatch: "microBatchSize",
  numctx: "contextSize",
  numgpu: "gpuLayers",
  numpredict: "maxTokens",
  numthread: "threads",
  penaltylastn: "penalties.lastN",
  presencepenalty: "penalties.presence",
  repeatlastn: "penalties.lastN",
  repeatpenalty: "penalties.repeat",
  repetitionpenalty: "penalties.repeat",
  responseformat: "responseSchema",
  responseschema: "schema",
  schema: "responseSchema",
  stopsequences: "stop",
  stopstrings: "stop",
  systemmessage: "system",
  systemprompt: "system",
  temp: "temperature",
  toplogprobs: "logprobs",
  typek: "kvCacheType.key",
  typev: "kvCacheType.value",
  ubatchsize: "microBatchSize",
  usemlock: "mlock",
  usemmap: "mmap",
  xtcprobability: "xtc.probability",
};

export function unknownOption(
  key: string | symbol,
  name: string,
  known: readonly string[],
): ReturnType<typeof invalid> {
  const hint =
    typeof key === "string" && key.length <= NAME_MAX
      ? (mistakenFor(key, name) ?? hintFor(key, known))
      : undefined;
  return invalid(
    `Unknown option ${show(key)} in \`${name}\`: ` +
      (hint ?? `known are ${known.map((one) => `\`${one}\``).join(", ")}`),
    { name, option: key },
  );
}

/** Things of another kind that are often given, and by which of their fields they are known. */
const MISTAKEN: readonly { inside: RegExp; fields: readonly string[]; hint: string }[] = [
  {
    inside: /^prompt\[\d+\]$/,
    fields: ["role", "content"],
    hint: "a prompt is made of segments; messages are for a `ChatSession`, or for `renderChatAsync`, which makes a prompt of them",
  },
  {
    inside: /\btools\[\d+\]$/,
    fields: ["name", "description", "parameters", "execute"],
    hint: "make the tool with `defineTool({ name, description, parameters, execute })`",
  },
];

function mistakenFor(key: string, name: string): string | undefined {
  return MISTAKEN.find(({ inside, fields }) => inside.test(name) && fields.includes(key))?.hint;
}

/** What comes after "Unknown option …: ", or undefined where nothing is known that is like it. */
function hintFor(key: string, known: readonly string[]): string | undefined {
  const own = spelling(key, known);
  if (own !== undefined) return `did you mean \`${own}\`?`;
  const elsewhere = place(key, (names) => spelling(key, names));
  if (elsewhere !== undefined) return elsewhere;
  const near = nearest(key, known);
  if (near !== undefined) return `did you mean \`${near}\`?`;
  const all = new Set(LISTS.flatMap(({ names }) => names));
  const meant = nearest(key, [...all].filter(isLong));
  return meant && isLong(key) ? place(key, (names) => spelling(meant, names)) : undefined;
}

/** Where an option belongs that `find` finds in the lists of its owners. */
function place(
  key: string,
  find: (names: readonly string[]) => string | undefined,
): string | undefined {
  const exact = LISTS.filter(({ names }) => names.includes(key));
  const lists = exact.length > 0 ? exact : LISTS.filter(({ names }) => find(names) !== undefined);
  if (lists.length === 0 || lists.length > LISTS_MAX) return undefined;
  const meant = find((lists[0] as OptionList).names) as string;
  const owners = listed(
    [...new Set(lists.flatMap((list) => list.owners))].sort((a, b) => a.localeCompare(b, "en")),
  );
  return meant === key
    ? `it is an option of ${owners}`
    : `did you mean \`${meant}\`, an option of ${owners}?`;
}

/** As a sentence has them: a, b and c. */
function listed(owners: readonly string[]): string {
  const quoted = owners.map((owner) => `\`${owner}\``);
  return [...quoted.slice(0, -2), quoted.slice(-2).join(" and ")].join(", ");
}

/** The known name that differs from `key` in its writing only, or that another library calls so. */
function spelling(key: string, known: readonly string[]): string | undefined {
  const spelt = (name: string) => known.find((one) => plain(one) === plain(name));
  const own = spelt(key);
  if (own !== undefined || !Object.hasOwn(FOREIGN, plain(key))) return own;
  const [head = "", ...rest] = (FOREIGN[plain(key)] as string).split(".");
  const same = spelt(head);
  return same && [same, ...rest].join(".");
}

/** `max_tokens`, `max-tokens` and `maxTokens` are one name. */
function plain(name: string): string {
  return name.replace(/[_-]/g, "").toLowerCase();
}

/** Short names are near too much: `topic` is no `topK`. */
function isLong(name: string): boolean {
  return name.length > 4;
}

/** The option that a key means which may as well be data of the caller's own, or undefined. */
export function misspeltOption(key: string, known: readonly string[]): string | undefined {
  if (!isLong(key) || key.length > NAME_MAX) return undefined;
  return spelling(key, known) ?? nearest(key, known.filter(isLong));
}

/** The known name within a third of `key`'s letters in edits, if there is one. */
export function nearest(key: string, known: readonly string[]): string | undefined {
  if (key.length > NAME_MAX) return undefined;
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(key.length / 3)) + 1;
  for (const name of known) {
    const distance = editDistance(key.toLowerCase(), name.toLowerCase());
    if (distance < bestDistance) {
      best = name;
      bestDistance = distance;
    }
  }
  return best;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const swap = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(swap, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return row[b.length] as number;
}
