// Tools for a model: npx cria chat MODEL.gguf --tools examples/toolbox.mjs

import { defineTool } from "cria";

const places = new Map([["Luna", "the garden"]]);

export const tools = [
  defineTool({
    name: "get_weather",
    description: "Get the current weather for a city",
    parameters: {
      type: "object",
      properties: { city: { type: "string", description: "The name of the city" } },
      required: ["city"],
    },
    // What it returns goes to the model as JSON. It may take its time.
    execute: async ({ city }) => ({ temperature: city.length + 15, condition: "sunny" }),
  }),
  defineTool({
    name: "find_llama",
    description: "Find out where a llama is",
    parameters: {
      type: "object",
      properties: { name: { type: "string", description: "The name of the llama" } },
      required: ["name"],
    },
    // What it throws goes to the model, too, which can say so or try again.
    execute: ({ name }) => {
      if (!places.has(name)) throw new Error(`There is no llama called ${name}.`);
      return { place: places.get(name) };
    },
  }),
];
