import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { templateRequest } from "../../lib/chat/template.js";
import { Model, promptToString } from "../../lib/index.js";
import { nativeModel } from "../../lib/model.js";
import { llamaCppDir } from "../support/llama-cpp-dir.js";

const dir = join(llamaCppDir(), "models", "templates");
const tools = [
  {
    type: "function" as const,
    function: {
      name: "get_weather",
      description: "Weather",
      parameters: {
        type: "object",
        properties: { city: { type: "string", pattern: "^(?=a)b" } },
        required: ["city"],
      },
    },
  },
];
const chats: any = {
  plain: [
    [
      { role: "user", content: "Hello" },
      { role: "assistant", content: "Hi" },
      { role: "user", content: "How?" },
    ],
    {},
  ],
  system: [
    [
      { role: "system", content: "Be short" },
      { role: "user", content: "Hello" },
    ],
    {},
  ],
  tools: [
    [
      { role: "user", content: "Weather?" },
      {
        role: "assistant",
        content: null,
        tool_calls: [
          {
            id: "call00001",
            type: "function",
            function: { name: "get_weather", arguments: '{"city":"Paris"}' },
          },
        ],
      },
      { role: "tool", tool_call_id: "call00001", name: "get_weather", content: "sunny" },
    ],
    { tools },
  ],
};
test("all", async () => {
  const model = await Model.load(join(llamaCppDir(), "models", "ggml-vocab-llama-bpe.gguf"), {
    vocabOnly: true,
  });
  const native = nativeModel(model);
  const out: string[] = [];
  for (const name of readdirSync(dir).filter((n) => n.endsWith(".jinja"))) {
    const template = readFileSync(join(dir, name), "utf8");
    for (const [kind, [messages, options]] of Object.entries<any>(chats)) {
      const t0 = performance.now();
      try {
        const p = native.renderTemplate(templateRequest(template, messages, options));
        const t1 = performance.now();
        native.renderTemplate(templateRequest(template, messages, options));
        out.push(
          `${name} ${kind} ok ${p.length} ${(t1 - t0).toFixed(1)} ${(performance.now() - t1).toFixed(1)}`,
        );
        if (process.env.SHOW && name.includes(process.env.SHOW))
          out.push(promptToString(p as any, model));
      } catch (e: any) {
        out.push(`${name} ${kind} ${e.code} ${e.message}`);
      }
    }
    const t0 = performance.now();
    try {
      const f = native.templateFormat({
        ...templateRequest(template, chats.system[0], { tools }),
        toolChoice: "auto",
        parallelToolCalls: true,
      });
      const t1 = performance.now();
      native.templateFormat({
        ...templateRequest(template, chats.system[0], { tools }),
        toolChoice: "auto",
        parallelToolCalls: true,
      });
      out.push(
        `   format ${f.format} lazy ${f.grammarLazy} grammar ${f.grammar.length} trig ${JSON.stringify(f.triggers)} gen ${JSON.stringify(f.generationPrompt)} ${(t1 - t0).toFixed(1)} ${(performance.now() - t1).toFixed(1)}`,
      );
    } catch (e: any) {
      out.push(`   format ${e.code} ${e.message}`);
    }
  }
  require("fs").writeFileSync("/tmp/scratch.out", out.join("\n") + "\n");
}, 200000);
