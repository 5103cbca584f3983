// The figures as a table for people.

/** Whether a row shows what is wanted of it; null where nothing is. */
export function verdict(wanted, { b, ratio, difference }) {
  if (!wanted) return null;
  if (wanted.ratio) return ratio >= wanted.ratio.atLeast;
  if (wanted.difference) return difference <= wanted.difference.atMost;
  return b <= wanted.b.atMost;
}

export function digits(value) {
  const size = Math.abs(value);
  if (size >= 1000) return Math.round(value).toLocaleString("en");
  if (size >= 100) return value.toFixed(0);
  if (size >= 10) return value.toFixed(1);
  return value.toFixed(size >= 1 ? 2 : 3);
}

const signed = (value) => `${value < 0 ? "−" : "+"}${digits(Math.abs(value))}`;
const between = ({ least, most }, format) => ` (${format(least)}…${format(most)})`;

/** What a row says of the two sides: their ratio, or how much the second one adds. */
export function comparison(row) {
  if (row.ratio === undefined) return "";
  if (row.wanted?.difference) {
    return signed(row.difference) + between(row.differences, signed);
  }
  const format = (value) => value.toFixed(value >= 10 ? 1 : 2);
  return row.ratio.toFixed(row.ratio >= 10 ? 1 : 3) + between(row.ratios, format);
}

export function wantedOf({ wanted, unit }) {
  if (!wanted) return "";
  if (wanted.ratio) return `≥ ${wanted.ratio.atLeast}`;
  if (wanted.difference) return `≤ +${wanted.difference.atMost} ${unit}`;
  return `≤ ${wanted.b.atMost.toLocaleString("en")} ${unit}`;
}

function cells(row) {
  return [
    `${row.title}, ${row.model}`,
    row.reference ?? "",
    row.unit,
    row.a === undefined ? "" : digits(row.a),
    digits(row.b),
    comparison(row),
    wantedOf(row),
    row.reached === null ? "" : row.reached ? "yes" : "NO",
  ];
}

const head = ["", "beside", "", "it", "cria", "ratio or difference (range)", "wanted", "reached"];
const leftColumns = 3;

/** A Markdown table whose columns also line up as plain text. */
export function asTable(rows) {
  const lines = [head, ...rows.map(cells)];
  const widths = head.map((_, column) => Math.max(3, ...lines.map((line) => line[column].length)));
  const pad = (cell, column) =>
    column < leftColumns ? cell.padEnd(widths[column]) : cell.padStart(widths[column]);
  const format = (line) => `| ${line.map(pad).join(" | ")} |`;
  const rule = widths.map((width, column) =>
    column < leftColumns ? "-".repeat(width) : `${"-".repeat(width - 1)}:`,
  );
  return [lines[0], rule, ...lines.slice(1)].map(format).join("\n");
}

const distinct = (values) => [...new Set(values)].sort();
const oneOrSpan = (values) =>
  values.length < 2 ? values.join("") : `${values[0]}…${values.at(-1)}`;

/** Under what circumstances the rows were measured. */
export function circumstances(rows) {
  const pairs = distinct(rows.map((row) => row.pairs));
  const days = distinct(rows.map((row) => row.date.slice(0, 10)));
  const machines = distinct(
    rows.map(
      ({ machine: { cpu, node, llamaCpp } }) => `${cpu}; Node ${node}; llama.cpp ${llamaCpp}`,
    ),
  );
  const settings = distinct(
    rows.map(
      ({ settings }) =>
        `${settings.threads} threads, ${settings.kvCacheType} cache, ` +
        `flash attention ${settings.flashAttention ? "on" : "off"}`,
    ),
  );
  const busy = rows.filter((row) => row.busyBefore > 0.2).map((row) => row.name);
  return [
    `Medians of ${oneOrSpan(pairs)} pairs, with the range of the pairs; ${settings.join(" or ")}.`,
    ...machines.map((machine) => `${machine}; ${oneOrSpan(days)}.`),
    ...(busy.length > 0 ? [`Others used the machine before: ${busy.join(", ")}.`] : []),
    ...(rows.some((row) => row.quick) ? ["Quick: less work than the rows say."] : []),
  ].join("\n");
}

/** The README's: what it is beside, both figures, their ratio. */
export function asBrief(rows) {
  const line = (cells) => `| ${cells.join(" | ")} |`;
  const lines = rows.map((row) => {
    const [title, beside, unit, it, own, compared] = cells(row);
    return line([`${title}, ${unit}`, beside, it, own, compared]);
  });
  return [
    line(["", "beside", "it", "cria", "ratio or difference (range)"]),
    "|---|---|--:|--:|--:|",
    ...lines,
    "",
    circumstances(rows),
  ].join("\n");
}

export const asText = (rows) => `${asTable(rows)}\n\n${circumstances(rows)}`;
