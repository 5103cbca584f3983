// node names.mjs FILE NAMES FOLDERS: what package-name.mjs says of them, as JSON.

import { pathToFileURL } from "node:url";

const [file, names, folders] = process.argv.slice(2);
const { nameFromFolder, problemOfName } = await import(pathToFileURL(file));
console.log(
  JSON.stringify({
    refused: JSON.parse(names).filter((name) => problemOfName(name) !== undefined),
    made: JSON.parse(folders).map(nameFromFolder),
  }),
);
