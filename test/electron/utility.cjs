const { generate } = require("./generate.cjs");

generate().then(
  (text) => process.parentPort.postMessage(text),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
