import { join } from "node:path";
import { Model, renderChat } from "../../lib/index.js";
import { llamaCppDir } from "../support/llama-cpp-dir.js";
import { MODEL } from "../support/paths.js";
import { promptIds } from "../support/prompt-ids.js";

const messages = [
  { role: "system", content: "Be kind." },
  { role: "user", content: "\nHello 東京\n" },
  { role: "assistant", content: "Hi." },
  { role: "user", content: "{}" },
] as const;
const DATES = "Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n";
const date = "26 Jul 2024";

/** As Meta's encoder does: control tokens by id, the header's newlines apart, contents plain. */
function metaIds(model: Model, turns: readonly (readonly [role: string, content: string])[]) {
  const id = (token: string) => model.tokenId(token) as number;
  const header = (role: string) => [
    id("<|start_header_id|>"),
    ...model.tokenize(role),
    id("<|end_header_id|>"),
    ...model.tokenize("\n\n"),
  ];
  return [
    id("<|begin_of_text|>"),
    ...turns.flatMap(([role, content]) => [
      ...header(role),
      ...model.tokenize(content),
      id("<|eot_id|>"),
    ]),
    ...header("assistant"),
  ];
}

const rest = [
  ["user", "Hello 東京"],
  ["assistant", "Hi."],
  ["user", "{}"],
] as const;

describe("token ids are Meta's, in Meta's order", () => {
  test.each([
    ["the vocabulary of Llama 3.0", join(llamaCppDir(), "models", "ggml-vocab-llama-bpe.gguf")],
    ["the demo model's", MODEL],
  ])("with %s", async (_, path) => {
    await using model = await Model.load(path, { vocabOnly: true });
    const ids = (format: "llama-3" | "llama-3.1" | "llama-3.2" | "llama-3.3") =>
      promptIds(renderChat(messages, { format, date }), model).flatMap((run) => run.ids);
    expect(ids("llama-3")).toEqual(metaIds(model, [["system", "Be kind."], ...rest]));
    const dated = metaIds(model, [["system", `${DATES}Be kind.`], ...rest]);
    expect(ids("llama-3.1")).toEqual(dated);
    expect(ids("llama-3.2")).toEqual(dated);
    expect(ids("llama-3.3")).toEqual(dated);
  });

  test("by the numbers that Meta published", async () => {
    const path = join(llamaCppDir(), "models", "ggml-vocab-llama-bpe.gguf");
    await using model = await Model.load(path, { vocabOnly: true });
    const prompt = renderChat([{ role: "user", content: "hi" }], { format: "llama-3" });
    expect(promptIds(prompt, model).flatMap((run) => run.ids)).toEqual([
      ...[128_000, 128_006, 882, 128_007, 271, 6151, 128_009],
      ...[128_006, 78_191, 128_007, 271],
    ]);
  });

  test("in the cache of a context, too", async () => {
    await using model = await Model.load(MODEL);
    await using context = await model.createContext();
    await using sequence = await context.createSequence();
    await sequence.evaluate(renderChat(messages, { model, date }));
    expect([...sequence.tokens]).toEqual(metaIds(model, [["system", `${DATES}Be kind.`], ...rest]));
  });
});
