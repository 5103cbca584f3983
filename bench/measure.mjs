// Two sides in turn, so that a machine that grows slower or faster does so for both.

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/**
 * Runs A and B `pairs` times in turn. Each gives the figures of its repetitions, of which the median
 * counts; a pair's ratio is B's to A's, so that what slowed down both leaves it alone. There may be
 * no A to compare with.
 */
export async function measurePairs(pairs, a, b, onPair) {
  const samples = { a: [], b: [] };
  for (let pair = 1; pair <= pairs; ++pair) {
    if (a) samples.a.push(median(await a()));
    samples.b.push(median(await b()));
    onPair(pair);
  }
  if (!a) return { b: median(samples.b), samples };
  const ratios = samples.b.map((value, pair) => value / samples.a[pair]);
  return {
    a: median(samples.a),
    b: median(samples.b),
    ratio: median(ratios),
    ratios: { least: Math.min(...ratios), most: Math.max(...ratios) },
    samples,
  };
}
