// A model of a vocabulary alone, below the library: what children ask that may die of it.
import { createRequire } from "node:module";
import { engineInfo } from "../../dist/index.js";

const addon = createRequire(import.meta.url)(engineInfo().path);

export async function vocabularyModel(path) {
  const model = new addon.Model();
  const options = {
    path,
    gpuLayers: 0,
    devices: [],
    splitMode: "layer",
    tensorSplit: [],
    mainGpu: 0,
    mmap: true,
    mlock: false,
    checkTensors: false,
    vocabOnly: true,
    mtp: false,
    projector: "",
    workerTimeout: 300_000,
    metadataOverrides: {},
  };
  await model.load(options, null);
  return model;
}

/** What the engine is asked for a template's prompt, or for the format of its answers. */
export function requestOf(template, messages = [{ role: "user", content: "hi" }], tools = []) {
  return {
    template,
    messages: JSON.stringify(messages),
    tools: JSON.stringify(tools),
    variables: "{}",
    addGenerationPrompt: true,
    describeTools: true,
    now: 0,
    date: null,
    toolChoice: "auto",
    parallelToolCalls: true,
    schema: false,
  };
}
