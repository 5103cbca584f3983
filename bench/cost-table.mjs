// What was measured by works/cost-curves.mjs, as a table for people.

import { digits } from "./report.mjs";

/** Of those that are measured, which the table has. */
const DEPTHS = [1024, 4096];

const at = (list, key, value) => list.find((one) => one[key] === value);
const shown = (value) => (value === undefined ? "" : digits(value));

function columnsOf(model) {
  const { together, depths } = model;
  const alone = at(together, "sequences", 1);
  const [most] = together.slice(-1);
  const [first] = depths;
  const columns = {
    "weights, MB": model.bytes / 1e6,
    "a cell of the KV cache, KB": model.bytesPerCell / 1e3,
    "a token alone, ms": alone?.msPerStep,
    [`a token of ${most.sequences} together, ms`]: most.msPerStep / most.sequences,
    [`a prompt token, the first ${first.depth}, ms`]: first.msPerPromptToken,
  };
  for (const depth of DEPTHS) {
    const behind = at(depths, "depth", depth);
    columns[`a token behind ${depth}, ms`] = behind?.msPerToken;
    columns[`a prompt token, up to ${depth}, ms`] = behind?.msPerPromptToken;
    columns[`a prefix of ${depth}, copied, ms`] = behind?.msOfCopy;
    columns[`a prefix of ${depth}, kept, ms`] = behind?.msOfKept;
  }
  return columns;
}

export function costText(costs) {
  const columns = costs.models.map(columnsOf);
  const names = [...new Set(columns.flatMap((column) => Object.keys(column)))];
  const head = `| | ${costs.models.map(({ title }) => title).join(" | ")} |`;
  const rule = `|---|${costs.models.map(() => "---:|").join("")}`;
  const rows = names.map(
    (name) => `| ${name} | ${columns.map((one) => shown(one[name])).join(" | ")} |`,
  );
  const busy = costs.busyBefore > 0.1 ? " Others used the machine." : "";
  const note = `${costs.cpu}; Node ${costs.node}; ${costs.date.slice(0, 10)}; medians of ${costs.rounds} rounds.${busy}`;
  return [head, rule, ...rows, "", note].join("\n");
}
