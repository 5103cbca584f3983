// Which package manager runs this, and what to type next.

import path from "node:path";
import { templateOf } from "./templates.mjs";

/** By `npm_config_user_agent`, as "pnpm/9.0.0 npm/? node/v22.0.0 linux x64". */
export function packageManager(agent = "") {
  const [, name] = /^(npm|pnpm|yarn|bun)\//.exec(agent) ?? [];
  return name ?? "npm";
}

export function nextSteps({ folder, template, manager }) {
  const below = path.relative(process.cwd(), folder);
  const way = below.startsWith("..") ? folder : below;
  const script = templateOf(template).start;
  const run = manager === "npm" && script !== "start" ? "npm run" : manager;
  const lines = [
    ...(way === "" ? [] : [`cd ${/\s/.test(way) ? JSON.stringify(way) : way}`]),
    `${manager} install`,
    `${run} ${script}`,
  ];
  return `Next:\n${lines.map((line) => `  ${line}\n`).join("")}`;
}
