// The smoke test of the CI's Electron job: the engine loads and generates in the main process and in
// a utility process, as an application would use it. Ends with status 0 only when both answered.

const path = require("node:path");
const { app, utilityProcess } = require("electron");
const { generate } = require("./generate.cjs");

function inUtilityProcess() {
  return new Promise((resolve, reject) => {
    const child = utilityProcess.fork(path.join(__dirname, "utility.cjs"));
    child.once("message", resolve);
    child.once("exit", (code) => reject(new Error(`The utility process ended with ${code}.`)));
  });
}

async function main() {
  const here = await generate();
  const there = await inUtilityProcess();
  if (here === "" || here !== there) {
    throw new Error(`Expected the same text twice, got ${JSON.stringify([here, there])}.`);
  }
  console.log(`Electron ${process.versions.electron}: ${JSON.stringify(here)}`);
}

app
  .whenReady()
  .then(main)
  .then(
    () => app.exit(0),
    (error) => {
      console.error(error);
      app.exit(1);
    },
  );
