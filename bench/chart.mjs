// The figures as a picture: an SVG with a bar per row, for light and dark pages.

import { digits, wantedOf } from "./report.mjs";

const width = 1040;
const labelWidth = 520;
const barWidth = 310;
const rowHeight = 26;
const barHeight = 14;
const gap = 46;
/** Longer bars are cut off, with their figure beside them. */
const mostRatio = 4;

const escaped = (text) => text.replace(/[&<>"]/g, (character) => `&#${character.codePointAt(0)};`);

const style = `
  text { font: 13px system-ui, sans-serif; fill: #24292f }
  .title { font-weight: 600; font-size: 15px }
  .note { fill: #6e7781 }
  .bar { fill: #2f81f7 } .missed { fill: #d1572f }
  .wanted { stroke: #24292f; stroke-width: 2 } .one { stroke: #8c959f; stroke-dasharray: 3 3 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .note { fill: #8d96a0 } .wanted { stroke: #e6edf3 }
  }`;

/** Where a value of 0…most lies. */
const place = (value, most) => labelWidth + (Math.min(Math.max(value, 0), most) / most) * barWidth;

const line = (name, x, top, bottom) =>
  `<line class="${name}" x1="${x.toFixed(1)}" x2="${x.toFixed(1)}" y1="${top}" y2="${bottom}"/>`;

function bar({ label, value, figure, wanted, reached }, top, most) {
  const middle = top + rowHeight / 2;
  const x = place(value, most);
  const name = reached === false ? "bar missed" : "bar";
  const size = `width="${Math.max(1, x - labelWidth).toFixed(1)}" height="${barHeight}"`;
  return [
    `<text x="${labelWidth - 10}" y="${middle + 4}" text-anchor="end">${escaped(label)}</text>`,
    `<rect class="${name}" x="${labelWidth}" y="${middle - barHeight / 2}" rx="2" ${size}/>`,
    wanted === undefined ? "" : line("wanted", place(wanted, most), top + 3, top + rowHeight - 3),
    `<text x="${labelWidth + barWidth + 10}" y="${middle + 4}">${escaped(figure)}</text>`,
  ].join("");
}

function panel({ title, note, bars, most }, top) {
  if (bars.length === 0) return { svg: "", height: 0 };
  const first = top + gap;
  const bottom = first + bars.length * rowHeight;
  const svg = [
    `<text class="title" x="10" y="${top + 18}">${escaped(title)}</text>`,
    `<text class="note" x="10" y="${top + 36}">${escaped(note)}</text>`,
    line("one", place(1, most), first, bottom),
    ...bars.map((one, i) => bar(one, first + i * rowHeight, most)),
  ].join("\n");
  return { svg, height: gap + bars.length * rowHeight + 14 };
}

const nameOf = (row) => `${row.title}, ${row.model}`;

function ratioBars(rows) {
  return rows
    .filter((row) => row.ratio !== undefined && row.unit === "tok/s")
    .map((row) => ({
      label: nameOf(row),
      value: row.ratio,
      figure: `${row.ratio.toFixed(2)} × ${row.reference}`,
      wanted: row.wanted?.ratio?.atLeast,
      reached: row.reached,
    }));
}

function limitBars(rows) {
  return rows
    .filter((row) => row.wanted?.b || row.wanted?.difference)
    .map((row) => {
      const limit = (row.wanted.b ?? row.wanted.difference).atMost;
      const value = row.wanted.b ? row.b : row.difference;
      return {
        label: nameOf(row),
        value: value / limit,
        figure: `${digits(value)} (${wantedOf(row)})`,
        reached: row.reached,
      };
    });
}

export function drawChart(rows) {
  const ratios = ratioBars(rows);
  const longest = Math.max(1.25, ...ratios.map(({ value }) => value));
  const panels = [
    {
      title: "Speed, to the reference's",
      note: "Longer is better. Dashed: as fast as the reference. Upright: what is wanted.",
      bars: ratios,
      most: Math.min(longest, mostRatio),
    },
    {
      title: "Costs, to their limits",
      note: "Shorter is better. Dashed: the limit.",
      bars: limitBars(rows),
      most: 1.5,
    },
  ];
  let top = 10;
  const parts = [];
  for (const one of panels) {
    const { svg, height } = panel(one, top);
    parts.push(svg);
    top += height;
  }
  const size = `width="${width}" height="${top}" viewBox="0 0 ${width} ${top}"`;
  const title = "<title>cria beside llama.cpp's own programs and its peers</title>";
  return `<svg xmlns="http://www.w3.org/2000/svg" role="img" ${size}>
${title}
<style>${style}
</style>
${parts.join("\n")}
</svg>
`;
}
