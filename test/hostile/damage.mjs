// What is damaged by chance, the same every time.

export function random(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** `count` of the first `to` bytes are changed. */
export function flipped(original, seed, to, count) {
  const next = random(seed);
  const bytes = Buffer.from(original);
  for (let i = 0; i < count; i++) {
    bytes[Math.floor(next() * to)] ^= 1 + Math.floor(next() * 255);
  }
  return bytes;
}
