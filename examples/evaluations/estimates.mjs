// Scores with standard errors. Each is a ratio of sums over the units of a sample (questions, prompts, tokens),
// and keeps what each unit contributes to its deviation: so means of several scores of the same units have a
// standard error, too, which the scores' own errors could not tell.

/**
 * The sum of `numerators` by that of `denominators`, a number each per unit. With denominators of 1 it is the
 * mean, and `standardError` the sample's standard deviation by the root of its size: of a share p of n
 * questions, sqrt(p (1 - p) / (n - 1)). With others (instructions per prompt) units are clusters, and the error
 * the linearised one of a ratio. Null where there is no telling: with no unit or one.
 */
export function ratio(numerators, denominators = numerators.map(() => 1)) {
  const units = numerators.length;
  const whole = sum(denominators);
  const value = whole === 0 ? null : sum(numerators) / whole;
  const deviations = numerators.map((numerator, unit) =>
    value === null ? 0 : ((numerator - value * denominators[unit]) * units) / whole,
  );
  return {
    value,
    count: whole,
    deviations,
    standardError: value === null ? null : error(deviations),
  };
}

/** The mean of several estimates of the same units. */
export function meanOfSameUnits(estimates) {
  const [{ deviations: first }] = estimates;
  const deviations = first.map(
    (_, unit) => sum(estimates.map(({ deviations }) => deviations[unit])) / estimates.length,
  );
  const values = estimates.map(({ value }) => value);
  const value = values.includes(null) ? null : sum(values) / values.length;
  return {
    value,
    count: first.length,
    deviations,
    standardError: value === null ? null : error(deviations),
  };
}

/** The mean of estimates of different units, such as subjects or categories: each counts the same. */
export function meanOfGroups(estimates) {
  if (estimates.length === 0) return { value: null, count: 0, standardError: null };
  const errors = estimates.map(({ standardError }) => standardError);
  return {
    value: sum(estimates.map(({ value }) => value)) / estimates.length,
    count: estimates.length,
    standardError: errors.includes(null)
      ? null
      : Math.sqrt(sum(errors.map((one) => one * one))) / errors.length,
  };
}

/** e to the power of an estimate, with the error that belongs to it (first order). */
export function exponential({ value, count, standardError }) {
  const power = value === null ? null : Math.exp(value);
  return {
    value: power,
    count,
    standardError: standardError === null ? null : power * standardError,
  };
}

export function formatEstimate({ value, standardError, count }) {
  if (value === null) return "-";
  const around = standardError === null ? "" : ` ± ${standardError.toFixed(4)}`;
  return `${value.toFixed(4)}${around}  (${count})`;
}

function error(deviations) {
  const units = deviations.length;
  if (units < 2) return null;
  return Math.sqrt(sum(deviations.map((one) => one * one)) / (units * (units - 1)));
}

export function sum(numbers) {
  return numbers.reduce((total, one) => total + one, 0);
}

/** Values by a key of theirs, in the order of their first. */
export function grouped(values, keyOf) {
  const groups = new Map();
  for (const value of values) {
    const key = keyOf(value);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [value]);
    else group.push(value);
  }
  return groups;
}
