// node asked.mjs PACKAGE FOLDER ANSWERS FLAGS: create-cria at a terminal that types these answers, one when asked for
// each. Prints what it showed and its status, as JSON.

import { PassThrough } from "node:stream";
import { pathToFileURL } from "node:url";

const [file, folder, answers, flags] = process.argv.slice(2);
process.chdir(folder);
const { main } = await import(pathToFileURL(file));
const input = Object.assign(new PassThrough(), { isTTY: true });
const output = new PassThrough().setEncoding("utf8");
const waiting = JSON.parse(answers);
let shown = "";
output.on("data", (text) => {
  shown += text;
  if (!text.endsWith(": ")) return;
  const answer = waiting.shift();
  if (answer === undefined)
    input.end(); // Ctrl-D
  else input.write(`${answer}\n`);
});
const status = await main(JSON.parse(flags), { input, output, error: output, env: {} });
await new Promise(setImmediate);
console.log(JSON.stringify({ shown, status, unused: waiting }));
