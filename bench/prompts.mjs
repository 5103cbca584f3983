// Prompts of random ids, as llama.cpp's programs evaluate them: speed does not depend on what they
// say. The same ones in every run.

/** Ids below this one are ordinary text in the vocabulary of Llama 3. */
const ordinaryTokens = 128_000;

/** A function that draws `length` ids. */
export function tokenDrawer(vocabularySize, seed = 1) {
  let state = seed;
  const draw = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 8;
  };
  const ordinary = Math.min(vocabularySize, ordinaryTokens);
  return (length) => Int32Array.from({ length }, () => draw() % ordinary);
}

/** A function that makes prompts of a given length, each another one, behind a BOS where there is one. */
export function promptMaker({ vocabularySize, bos }, seed) {
  const draw = tokenDrawer(vocabularySize, seed);
  return (length) => {
    const tokens = draw(length);
    if (bos !== null && length > 0) tokens[0] = bos;
    return tokens;
  };
}

/** `count` prompts that begin with the same `shared` ids and then differ in `own` ones. */
export function promptsWithPrefix(vocabulary, { count, shared, own }) {
  const make = promptMaker(vocabulary);
  const draw = tokenDrawer(vocabulary.vocabularySize, 2);
  const prefix = make(shared);
  return Array.from({ length: count }, () =>
    shared > 0 ? Int32Array.from([...prefix, ...draw(own)]) : make(own),
  );
}

/** Runs one task per item, `width` of them at any time, in order. */
export async function inFlight(width, items, task) {
  let next = 0;
  const lane = async () => {
    while (next < items.length) await task(items[next++]);
  };
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, lane));
}
