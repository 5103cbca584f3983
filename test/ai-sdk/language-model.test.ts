import { z } from "zod";
import { createCria } from "../../lib/ai-sdk/ai-sdk.js";
import { GENERATIONS } from "../support/ai-sdk.js";
import { call, scripted } from "../support/scripted-context.js";

const inputSchema = z.object({ city: z.string() });

describe.each(GENERATIONS)("%s", (_, ai) => {
  test("generates text", async () => {
    const { context } = scripted(["Hello there."]);
    const model = createCria(context).languageModel();
    const result = await ai.generateText({ model, prompt: "Hi" });
    expect(result.text).toBe("Hello there.");
  });

  test("tools", async () => {
    const { context } = scripted([call("get_weather", { city: "Lima" }), "It is clear."]);
    const model = createCria(context).languageModel();
    const seen: unknown[] = [];
    const weather = ai.tool({
      description: "Weather",
      inputSchema,
      execute: async ({ city }) => {
        seen.push(city);
        return { city, sky: "clear" };
      },
    });
    const result = ai.streamText({
      model,
      prompt: "Hi",
      tools: { get_weather: weather },
      stopWhen: ai.stepCountIs(5),
    });
    const types: string[] = [];
    for await (const part of result.fullStream) types.push(part.type);
    console.log(types.join(" "));
    expect(await result.text).toBe("It is clear.");
    expect(seen).toEqual(["Lima"]);
  });
});
