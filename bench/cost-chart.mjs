// The curves of works/cost-curves.mjs as a picture: an SVG for light and dark pages, both axes logarithmic, so that
// what doubles with the length is a straight line.

import { digits } from "./report.mjs";

const WIDTH = 1040;
const PLOT = { width: 380, height: 220 };
const MARGIN = { left: 70, top: 58, right: 60, bottom: 46 };
const PANEL = {
  width: PLOT.width + MARGIN.left + MARGIN.right,
  height: PLOT.height + MARGIN.top + MARGIN.bottom,
};

const STYLE = `
  text { font: 13px system-ui, sans-serif; fill: #24292f }
  .title { font-weight: 600; font-size: 15px }
  .note { fill: #6e7781 }
  .grid { stroke: #d0d7de }
  .curve { fill: none; stroke-width: 2 } .dashed { stroke-dasharray: 7 4 } .dotted { stroke-dasharray: 2 4 }
  .m0 { stroke: #2f81f7 } .m1 { stroke: #d1572f } .m2 { stroke: #2da44e }
  text.m0 { fill: #2f81f7; stroke: none } text.m1 { fill: #d1572f; stroke: none }
  text.m2 { fill: #2da44e; stroke: none }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .note { fill: #8d96a0 } .grid { stroke: #30363d }
  }`;

const escaped = (text) => text.replace(/[&<>"]/g, (character) => `&#${character.codePointAt(0)};`);

/** Powers of ten around all values. */
function decades(values) {
  const known = values.filter((value) => value > 0);
  const least = Math.floor(Math.log10(Math.min(...known)));
  const most = Math.max(Math.ceil(Math.log10(Math.max(...known))), least + 1);
  return Array.from({ length: most - least + 1 }, (_, i) => 10 ** (least + i));
}

/** Where a value lies between the first and the last of some, by its logarithm: 0…1. */
function share(value, ticks) {
  const [from, to] = [Math.log(ticks[0]), Math.log(ticks[ticks.length - 1])];
  return (Math.log(value) - from) / (to - from);
}

function panel({ title, note, curves }, left, top) {
  const points = curves.flatMap((curve) => curve.points);
  const across = [...new Set(points.map(([x]) => x))].sort((a, b) => a - b);
  const up = decades(points.map(([, y]) => y));
  const x = (value) => left + MARGIN.left + share(value, across) * PLOT.width;
  const y = (value) => top + MARGIN.top + (1 - share(value, up)) * PLOT.height;
  const bottom = top + MARGIN.top + PLOT.height;
  const right = left + MARGIN.left + PLOT.width;
  const parts = [
    `<text class="title" x="${left + 10}" y="${top + 20}">${escaped(title)}</text>`,
    `<text class="note" x="${left + 10}" y="${top + 40}">${escaped(note)}</text>`,
  ];
  for (const tick of up) {
    const at = y(tick).toFixed(1);
    parts.push(
      `<line class="grid" x1="${left + MARGIN.left}" x2="${right}" y1="${at}" y2="${at}"/>`,
      `<text class="note" x="${left + MARGIN.left - 8}" y="${(y(tick) + 4).toFixed(1)}" text-anchor="end">${tick < 1 ? Number(tick.toPrecision(1)) : tick} ms</text>`,
    );
  }
  for (const tick of across)
    parts.push(
      `<text class="note" x="${x(tick).toFixed(1)}" y="${bottom + 20}" text-anchor="middle">${tick}</text>`,
    );
  for (const { points: own, model, style = "", label } of curves) {
    const path = own.map(([a, b]) => `${x(a).toFixed(1)},${y(b).toFixed(1)}`).join(" ");
    parts.push(`<polyline class="curve m${model} ${style}" points="${path}"/>`);
    const [last] = own.slice(-1);
    if (label) {
      const [a, b] = [x(last[0]) + 6, y(last[1]) + 4];
      parts.push(
        `<text class="m${model}" x="${a.toFixed(1)}" y="${b.toFixed(1)}">${digits(last[1])}</text>`,
      );
    }
  }
  return parts.join("\n");
}

const ofModels = (costs, pointsOf, more = {}) =>
  costs.models.map((one, model) => ({
    ...{ points: pointsOf(one).filter(([, y]) => y > 0), model, label: true },
    ...more,
  }));

function panelsOf(costs) {
  const behind = (key) => (one) => one.depths.map((of) => [of.depth, of[key]]);
  /** What the prompt's tokens up to there take together. */
  const evaluated = (one) => {
    let sum = 0;
    let before = 0;
    return one.depths.map(({ depth, msPerPromptToken }) => {
      sum += (depth - before) * msPerPromptToken;
      before = depth;
      return [depth, sum];
    });
  };
  return [
    {
      title: "A token, by how many sequences generate together",
      note: "milliseconds of a step, shared by all of them",
      curves: ofModels(costs, (one) =>
        one.together.map(({ sequences, msPerStep }) => [sequences, msPerStep / sequences]),
      ),
    },
    {
      title: "A token, by the tokens before it",
      note: "milliseconds, one sequence",
      curves: ofModels(costs, behind("msPerToken")),
    },
    {
      title: "A prompt token, by the tokens before it",
      note: "milliseconds, between one length and the next",
      curves: ofModels(costs, behind("msPerPromptToken")),
    },
    {
      title: "A prefix, by its length",
      note: "evaluated; dashed: copied to another sequence; dotted: kept in its own",
      curves: [
        ...ofModels(costs, evaluated),
        ...ofModels(costs, behind("msOfCopy"), { style: "dashed", label: false }),
        ...ofModels(costs, behind("msOfKept"), { style: "dotted", label: false }),
      ],
    },
  ];
}

export function drawCosts(costs) {
  const legend = costs.models.map(
    ({ title }, model) =>
      `<line class="curve m${model}" x1="${20 + 180 * model}" x2="${50 + 180 * model}" y1="20" y2="20"/><text x="${58 + 180 * model}" y="24">${escaped(title)}</text>`,
  );
  const drawn = panelsOf(costs).map((one, index) =>
    panel(one, (index % 2) * PANEL.width, 36 + Math.floor(index / 2) * PANEL.height),
  );
  const height = 36 + 2 * PANEL.height;
  return `<svg xmlns="http://www.w3.org/2000/svg" role="img" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}">
<title>What a token, a prompt token and a prefix cost, by model size</title>
<style>${STYLE}
</style>
${[...legend, ...drawn].join("\n")}
</svg>
`;
}
