/**
 * Whether an array in what came over a port has holes. Such an array may claim any length and hold nothing: it costs its
 * sender a few bytes, and whoever copies or walks it never ends. Takes time for what was really sent, not for what is claimed.
 */
export function hasHoles(value: unknown): boolean {
  const seen = new Set<object>(); // data that was copied may have cycles
  const open: unknown[] = [value];
  while (open.length > 0) {
    const one = open.pop();
    if (typeof one !== "object" || one === null || ArrayBuffer.isView(one) || seen.has(one)) {
      continue;
    }
    const inside: unknown[] = Object.values(one);
    if (Array.isArray(one) && inside.length < one.length) return true;
    const within = inside.filter((each) => typeof each === "object");
    if (within.length === 0) continue;
    seen.add(one);
    for (const each of within) open.push(each);
  }
  return false;
}
