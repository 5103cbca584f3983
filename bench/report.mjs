// The figures as a table for people.

/** Whether a row shows what is wanted of it. */
export function verdict(wanted, { b, ratio }) {
  if (wanted.ratio) return ratio >= wanted.ratio.atLeast;
  return b <= wanted.b.atMost;
}

const digits = (value) => (value >= 100 ? value.toFixed(0) : value.toFixed(value >= 10 ? 1 : 2));

function cells(row) {
  const ratio = row.ratio === undefined ? "" : row.ratio.toFixed(3);
  const spread = row.ratios ? `${row.ratios.least.toFixed(2)}…${row.ratios.most.toFixed(2)}` : "";
  const wanted = row.wanted.ratio ? `≥ ${row.wanted.ratio.atLeast}` : `≤ ${row.wanted.b.atMost} ms`;
  return [
    `${row.title}, ${row.model}`,
    row.unit,
    row.a === undefined ? "" : digits(row.a),
    digits(row.b),
    ratio,
    spread,
    wanted,
    row.reached ? "yes" : "NO",
  ];
}

/** A Markdown table whose columns also line up as plain text. */
export function asText(report) {
  const head = ["", "", "llama.cpp", "cria", "ratio", "pairs", "wanted", "reached"];
  const lines = [head, ...report.rows.map(cells)];
  const widths = head.map((_, column) => Math.max(3, ...lines.map((line) => line[column].length)));
  const left = (column) => column < 2;
  const format = (line) =>
    `| ${line
      .map((cell, column) =>
        left(column) ? cell.padEnd(widths[column]) : cell.padStart(widths[column]),
      )
      .join(" | ")} |`;
  const rule = widths.map((width, column) =>
    left(column) ? "-".repeat(width) : `${"-".repeat(width - 1)}:`,
  );
  const { pairs, repetitions, settings, cpu, node, loadBefore } = report;
  const quiet =
    loadBefore > 0.5
      ? [`The machine was not quiet: load ${loadBefore.toFixed(1)} at the start.`]
      : [];
  return [
    ...[lines[0], rule, ...lines.slice(1)].map(format),
    "",
    `Medians of ${pairs} pairs, repetitions in each: ${repetitions}; ${settings.threads} threads, ` +
      `${settings.cacheType} cache, flash attention ${settings.flashAttention ? "on" : "off"}, ` +
      `${settings.cacheLayout} layout.`,
    `${cpu}; Node ${node}; llama.cpp ${report.llamaCpp.slice(0, 12)}.`,
    ...quiet,
  ].join("\n");
}
