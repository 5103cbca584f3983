import type { ChatSessionOptions } from "../../lib/index.js";
import { defineTool, Sampler } from "../../lib/index.js";

/** The tool that the demo model was verified with. */
export const weather = defineTool({
  name: "get_weather",
  description: "Get the current weather for a city",
  parameters: {
    type: "object",
    properties: { city: { type: "string", description: "The name of the city" } },
    required: ["city"],
  },
  execute: ({ city }) => ({ temperature: 21, condition: city === "Lisbon" ? "sunny" : "rainy" }),
});

export const GREEDY: ChatSessionOptions = { sampler: Sampler.greedy(), date: "26 Jul 2024" };
