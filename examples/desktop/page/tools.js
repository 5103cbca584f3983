// What the model may call. It runs here, in the page: the engine's process only asks for it.

import { defineTool } from "./cria.js";

const CONDITIONS = ["sunny", "cloudy", "rainy", "windy"];

/** Made up, and the same for a city every time; a real one would ask a weather service. */
const getWeather = defineTool({
  name: "get_weather",
  description: "Get the current weather for a city",
  parameters: {
    type: "object",
    properties: { city: { type: "string", description: "The name of the city" } },
    required: ["city"],
  },
  execute: async ({ city }, { signal }) => {
    await pause(700, signal);
    return { temperature: 15 + city.length, condition: CONDITIONS[(city.length * 2) % 4] };
  },
});

export const tools = [getWeather];

/** So that there is something to see, and to stop. */
function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}
