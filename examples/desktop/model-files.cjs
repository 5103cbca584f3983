// Which models there are: the one that comes with the app, and what lies in the user's folder.

const fs = require("node:fs");
const path = require("node:path");

/** A packaged app has the demo model beside its archive, the checkout has it in models/. */
function bundledModel(resourcesPath) {
  const places = [
    path.join(resourcesPath ?? "", "models", "cria-demo.gguf"),
    path.join(__dirname, "..", "..", "models", "cria-demo.gguf"),
  ];
  return places.find((file) => fs.existsSync(file));
}

const modelOf = (file) => ({ name: path.basename(file, ".gguf"), path: file });

/** `CRIA_MODELS` names a folder in place of the user's, `CRIA_MODEL` one file that goes first. */
exports.findModels = ({ folder, resourcesPath }) => {
  const own = process.env.CRIA_MODELS ?? folder;
  const found = own && fs.existsSync(own) ? fs.readdirSync(own) : [];
  const files = found.filter((name) => name.endsWith(".gguf")).map((name) => path.join(own, name));
  const all = [process.env.CRIA_MODEL, bundledModel(resourcesPath), ...files.sort()];
  // The engine knows them by name: of several with one name, the first.
  const named = new Map();
  for (const model of all.filter((file) => file !== undefined).map(modelOf)) {
    if (!named.has(model.name)) named.set(model.name, model);
  }
  return [...named.values()];
};

exports.modelOf = modelOf;
