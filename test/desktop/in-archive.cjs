// Loads the packaged app's files out of its archive, as its processes do, and generates: node in-archive.cjs
// RESOURCES. asar-node stands in for Electron's own patch of `fs` and `require`; the engine's file is loaded by
// the system, which knows no archives.

const path = require("node:path");
const Module = require("node:module");
const { MessageChannel } = require("node:worker_threads");

require("asar-node").register();

/** asar-node knows no `exports`, which Electron's Node reads as ever. */
function resolveExports(root) {
  const resolve = Module._resolveFilename;
  Module._resolveFilename = (request, ...rest) => {
    const [, name, subpath] = /^(@[^/]+\/[^/]+|[^./@][^/]*)\/?(.*)$/.exec(request) ?? [];
    if (name !== "cria" || subpath === "") return resolve(request, ...rest);
    const folder = path.join(root, "node_modules", name);
    const { exports: exported } = require(path.join(folder, "package.json"));
    const target = exported[`./${subpath}`];
    return path.join(folder, typeof target === "string" ? target : target.require.default);
  };
}

async function main(resources) {
  resolveExports(path.join(resources, "app.asar"));
  const inApp = Module.createRequire(path.join(resources, "app.asar", "main.cjs"));
  const { engineInfo } = inApp("cria");
  const { connect } = inApp("cria/electron");
  const { serve } = inApp("cria/electron/server");
  const { findModels } = inApp("./model-files.cjs");
  const { pageFile } = inApp("./page-files.cjs");
  const [{ name, path: file }] = findModels({ resourcesPath: resources });
  const { port1, port2 } = new MessageChannel();
  const served = serve(port1, { models: { [name]: file } });
  const engine = connect(port2);
  const model = await engine.Model.load(name);
  const context = await model.createContext({ contextSize: 256, threads: 1 });
  const { text } = await context.generateText("A llama", { maxTokens: 16, temperature: 0 });
  engine.close();
  await served.closed;
  const page = await pageFile("/page/cria.js");
  console.log(
    JSON.stringify({
      text,
      file,
      engine: engineInfo().path,
      page: page.body.length,
    }),
  );
}

main(process.argv[2]);
