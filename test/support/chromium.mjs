// A Chromium of this machine for the tests of pages, and what they measure in it.

import { existsSync } from "node:fs";
import { chromium } from "playwright-core";

const PLACES = [
  process.env.CHROMIUM,
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  "C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe",
];

/** CHROMIUM names the browser's program. Without one it says so and tests nothing, which fails in CI. */
export function launchChromium() {
  const executablePath = PLACES.find((place) => place && existsSync(place));
  if (executablePath === undefined) {
    console.log("SKIPPED: there is no Chromium. apt-get install chromium, or CHROMIUM=/path/to/it");
    process.exit(process.env.CI ? 1 : 0);
  }
  return chromium.launch({ executablePath, args: ["--no-sandbox"] });
}

/** WCAG's contrast of two `rgb(…)` colours. */
export function contrast(one, other) {
  const [a, b] = [one, other]
    .map((color) =>
      color
        .match(/[\d.]+/g)
        .slice(0, 3)
        .map(Number),
    )
    .map((channels) =>
      channels
        .map((value) => value / 255)
        .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4))
        .reduce((sum, value, i) => sum + value * [0.2126, 0.7152, 0.0722][i], 0),
    )
    .sort((x, y) => y - x);
  return (a + 0.05) / (b + 0.05);
}
