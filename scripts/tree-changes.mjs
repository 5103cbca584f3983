// What changed between two trees of llama.cpp beside declarations: data that our tests read, sources that we depend
// on without a header, options of the build, what is shipped and under which licence.

import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import path from "node:path";

/** Folders, and what of them means something to whom. */
export const DATA = [
  {
    path: "models/templates",
    files: /\.jinja$/,
    who: "test/chat/formats/*, docs/templates.md (CRIA_WRITE_DOCS=1 npx jest test/docs/template-table)",
  },
  {
    path: "models",
    files: /^ggml-vocab-/,
    who: "test/model/tokenizer, test/chat/tokens, injection",
  },
  { path: "grammars", files: /\.gbnf$/, who: "test/sampling/gbnf, grammar" },
];

/** Files whose inside we count on. */
export const WATCHED = [
  {
    path: "ggml/src/ggml-cpu/ggml-cpu.c",
    why: "native/core/model/ggml_hooks.h replaces functions of it",
  },
  {
    path: "ggml/src/ggml-cpu/ops.cpp",
    why: "native/core/model/attention.cpp computes what its flash attention does",
  },
  {
    path: "ggml/src/ggml-cpu/iqp.h",
    why: "native/core/model/k_quant_product.cpp is called in the place of its functions",
  },
  {
    path: "ggml/src/ggml-cpu/arch/x86/quants.c",
    why: "native/core/model/k_quant_product.cpp adds up in the order of its dot products",
  },
  {
    path: "ggml/src/ggml-cpu/arch/x86/repack.cpp",
    why: "native/core/model/q4_panel_product.cpp gives what its product of one row gives",
  },
  {
    path: "ggml/src/ggml-cpu/repack.cpp",
    why: "native/core/model/q4_panel_product.cpp reads what it has laid out anew",
  },
  { path: "src/llama-arch.cpp", why: "names of keys and tensors in native/core/model/*_check.cpp" },
  {
    path: "src/llama-model-loader.cpp",
    why: "what is refused in a file: native/core/model/*_check.cpp",
  },
  { path: "src/llama.cpp", why: "which devices are chosen: native/core/model/model_params.cpp" },
  { path: "src/llama-grammar.cpp", why: "grammars are held to llama.cpp's own results" },
  { path: "src/llama-sampler.cpp", why: "samplers are held to llama.cpp's own results" },
  { path: "common/chat.cpp", why: "templates, and what is read out of answers: native/core/chat" },
  { path: "common/json-schema-to-grammar.cpp", why: "grammars of the calls in templates' formats" },
];

/** A folder's files that are meant, as `{ added, removed, changed }`, names in order. */
export function folderChanges(before, after, { path: folder, files }) {
  const [old, now] = [before, after].map((tree) => digests(path.join(tree, folder), files));
  const names = [...new Set([...old.keys(), ...now.keys()])].sort();
  return {
    added: names.filter((name) => !old.has(name)),
    removed: names.filter((name) => !now.has(name)),
    changed: names.filter(
      (name) => old.has(name) && now.has(name) && old.get(name) !== now.get(name),
    ),
  };
}

function digests(folder, files) {
  if (!existsSync(folder)) return new Map();
  const names = readdirSync(folder).filter(
    (name) => files.test(name) && statSync(path.join(folder, name)).isFile(),
  );
  return new Map(names.map((name) => [name, digest(path.join(folder, name))]));
}

function digest(file) {
  return createHash("sha256").update(readFileSync(file)).digest("hex");
}

/** The watched files that are not the same, each with what became of it. */
export function watchedChanges(before, after, watched = WATCHED) {
  return watched.flatMap(({ path: name, why }) => {
    const [old, now] = [before, after].map((tree) => textOf(path.join(tree, name)));
    if (old === now) return [];
    if (old === undefined) return [{ name, why, what: "is new" }];
    if (now === undefined) return [{ name, why, what: "is gone" }];
    const [gone, added] = [linesWithout(old, now), linesWithout(now, old)];
    return [{ name, why, what: `+${added} -${gone} lines` }];
  });
}

function textOf(file) {
  return existsSync(file) ? readFileSync(file, "utf8") : undefined;
}

/** How many lines of a text the other does not have. */
function linesWithout(text, other) {
  const counts = new Map();
  for (const line of other.split("\n")) counts.set(line, (counts.get(line) ?? 0) + 1);
  let missing = 0;
  for (const line of text.split("\n")) {
    const left = counts.get(line) ?? 0;
    if (left === 0) missing++;
    else counts.set(line, left - 1);
  }
  return missing;
}

/** Options of the build that came, went, or have another default; `used` where our own CMake files name them. */
export function optionChanges(before, after, own) {
  const [old, now] = [before, after].map(buildOptions);
  const names = [...new Set([...old.keys(), ...now.keys()])].sort();
  return names.flatMap((name) => {
    const [was, is] = [old.get(name), now.get(name)];
    if (was === is) return [];
    const what =
      was === undefined ? "is new" : is === undefined ? "is gone" : `was ${was}, is ${is}`;
    return [{ name, what, used: new RegExp(`\\b${name}\\b`).test(own) }];
  });
}

function buildOptions(tree) {
  const files = ["CMakeLists.txt", "ggml/CMakeLists.txt", "common/CMakeLists.txt"];
  const options = new Map();
  for (const file of files) {
    const found = (textOf(path.join(tree, file)) ?? "").matchAll(
      /^\s*option\(\s*(\w+)\s+"[^"]*"\s*([^\s)]+)?/gm,
    );
    for (const [, name, value = "OFF"] of found) options.set(name, value);
  }
  return options;
}

/** Folders of backends and of third parties' code, and licences: what the package ships and has to name. */
export function shippedChanges(before, after) {
  const folders = ["ggml/src", "vendor", "licenses"].map((folder) => {
    const [old, now] = [before, after].map((tree) => entriesOf(path.join(tree, folder)));
    return {
      folder,
      added: now.filter((name) => !old.includes(name)),
      removed: old.filter((name) => !now.includes(name)),
    };
  });
  const licence = textOf(path.join(before, "LICENSE")) !== textOf(path.join(after, "LICENSE"));
  return { folders, licence };
}

function entriesOf(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() || folder.endsWith("licenses"))
    .map(({ name }) => name)
    .sort();
}
