import type { TemplateOptions } from "../../lib/chat/formats/template-format.js";
import type { ChatMessageInput, ToolDefinition } from "../../lib/index.js";

export const tool: ToolDefinition = {
  type: "function",
  function: {
    name: "find_capital",
    description: "Finds the capital of a country",
    parameters: {
      type: "object",
      properties: { country: { type: "string", description: "Its English name" } },
      required: ["country"],
    },
  },
};

type Conversation = readonly [
  messages: readonly ChatMessageInput[],
  options?: Partial<TemplateOptions>,
];

const question = { role: "user", content: "What is the capital of Peru?" } as const;
const call = (id: string, country: string) =>
  ({
    id,
    type: "function",
    function: { name: "find_capital", arguments: JSON.stringify({ country }) },
  }) as const;

/** Conversations that every template should be able to write. */
export const REPORTS = {
  plain: [[question, { role: "assistant", content: "Lima." }, { role: "user", content: "Sure?" }]],
  system: [[{ role: "system", content: "Answer in one word." }, question]],
  tools: [
    [
      question,
      { role: "assistant", content: null, tool_calls: [call("call_0", "Peru")] },
      { role: "tool", tool_call_id: "call_0", content: '{"capital":"Lima"}' },
    ],
    { tools: [tool] },
  ],
} satisfies Record<string, Conversation>;
