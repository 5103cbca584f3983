// What there is to start from: a folder of templates/ each.

import { ProblemError } from "./problem.mjs";

export const TEMPLATES = [
  { name: "script", about: "a question and an answer, with a tool, in one file", start: "start" },
  { name: "server", about: "OpenAI's API over HTTP, in a process of yours", start: "start" },
  {
    name: "electron",
    about: "a desktop app, with the model in a process of its own",
    start: "start",
  },
  { name: "next", about: "a Next.js app with a route that streams answers", start: "dev" },
];

export function templateOf(name) {
  const found = TEMPLATES.find((template) => template.name === name);
  if (found) return found;
  const names = TEMPLATES.map((template) => template.name).join(", ");
  throw new ProblemError(
    `Expected one of ${names} as the template, got ${JSON.stringify(name)}`,
    2,
  );
}
