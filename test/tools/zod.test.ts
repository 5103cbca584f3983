import { z } from "zod";
import { ChatSession, defineTool, type InferArguments } from "../../lib/index.js";
import { call, scripted } from "../support/scripted-context.js";

// That this file compiles (npm run typecheck) is half of the test: no cast stands in it.

/** Compiles only where both types are the same. */
function same<A, B>(
  _: (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false,
) {}

const trip = z.object({
  city: z.string().min(1).describe("The name of the city"),
  days: z.number().int().min(1).max(14).default(3),
  unit: z.enum(["celsius", "fahrenheit"]).optional(),
  stops: z.array(z.object({ name: z.string(), night: z.boolean() })).max(3),
  from: z.union([z.literal("home"), z.number()]).nullable(),
});
interface Trip {
  city: string;
  days: number;
  unit?: "celsius" | "fahrenheit" | undefined;
  stops: { name: string; night: boolean }[];
  from: "home" | number | null;
}

test("execute's arguments have the type of the schema's output", async () => {
  const seen: Trip[] = [];
  const plan = defineTool({
    name: "plan_trip",
    parameters: trip,
    execute: (args, { callId, signal }) => {
      same<typeof args, Trip>(true);
      same<typeof callId, string>(true);
      same<typeof signal, AbortSignal | undefined>(true);
      // @ts-expect-error: the schema has no such property
      args.town;
      seen.push(args);
      return { nights: args.days - 1, first: args.stops[0]?.name.toUpperCase() };
    },
  });
  const given = { city: "Lima", stops: [{ name: "Ica", night: true }], from: null };
  const { context, asked } = scripted([call("plan_trip", given), "Have fun."]);
  const chat = new ChatSession(context, { tools: [plan], constrainTools: false });
  await chat.send("Plan it.").result();
  expect(seen).toEqual([{ ...given, days: 3 }]);
  expect(chat.messages[2]).toMatchObject({ role: "tool", content: '{"nights":2,"first":"ICA"}' });
  expect(asked[0]?.prompt).toContain('"description": "The name of the city"');
});

test("the model is told the JSON Schema of what the schema takes", () => {
  const { definition } = defineTool({ name: "plan_trip", parameters: trip });
  expect(definition.function.parameters).toMatchObject({
    type: "object",
    properties: {
      city: { type: "string", minLength: 1 },
      days: { type: "integer", minimum: 1, maximum: 14, default: 3 },
      unit: { type: "string", enum: ["celsius", "fahrenheit"] },
      stops: { type: "array", maxItems: 3, items: { required: ["name", "night"] } },
    },
    required: ["city", "stops", "from"],
  });
});

test("what does not fit goes back to the model with its place", async () => {
  const plan = defineTool({ name: "plan_trip", parameters: trip, execute: () => "never" });
  const wrong = { city: "Lima", days: 99, stops: [], from: null };
  const { context } = scripted([call("plan_trip", wrong), "Sorry."]);
  const chat = new ChatSession(context, { tools: [plan], constrainTools: false });
  await chat.send("Plan it.").result();
  expect(chat.messages[2]?.content).toMatch(/do not fit the tool's schema: days: .*14/);
});

test("a transformation changes what execute gets, not what the model is told", () => {
  const parameters = z.object({ day: z.string().transform((text) => new Date(text)) });
  same<InferArguments<typeof parameters>, { day: Date }>(true);
  const tool = defineTool({ name: "f", parameters, execute: ({ day }) => day.getTime() });
  expect(tool.definition.function.parameters).toMatchObject({
    properties: { day: { type: "string" } },
  });
  expect(tool.check({ day: "2024-07-26" })).toEqual({ day: new Date("2024-07-26") });
});

test("a schema of what JSON cannot have needs a JSON Schema of its own", () => {
  const parameters = z.object({ at: z.date() });
  expect(() => defineTool({ name: "f", parameters })).toThrow(
    expect.objectContaining({
      code: "ERR_INVALID_ARGUMENT",
      message: expect.stringMatching(/`tool\.parameters`.*`tool\.jsonSchema`/s),
    }),
  );
  const jsonSchema = { type: "object", properties: { at: { type: "string" } } };
  const coerced = z.object({ at: z.coerce.date() });
  const tool = defineTool({
    name: "f",
    parameters: coerced,
    jsonSchema,
    execute: ({ at }) => {
      same<typeof at, Date>(true);
      return at.getFullYear();
    },
  });
  expect(tool.definition.function.parameters).toEqual(jsonSchema);
});

test("an empty object is no arguments", () => {
  const tool = defineTool({ name: "now", parameters: z.object({}), execute: () => 5 });
  expect(tool.check({})).toEqual({});
});
