import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  type BuiltinTool,
  type ChatMessageInput,
  promptToString,
  renderChat,
  type ToolDefinition,
} from "../../../lib/index.js";
import { FIXTURES } from "../../support/paths.js";

const goldens = JSON.parse(readFileSync(join(FIXTURES, "chat-templates.json"), "utf8")) as Record<
  string,
  Golden[]
>;

interface Golden {
  input: {
    messages: { role: string }[];
    tools?: ToolDefinition[];
    builtin_tools?: BuiltinTool[];
    tools_in_user_message?: boolean;
    add_generation_prompt: boolean;
    date_string: string;
  };
  output: string;
}

/** The models' own templates, rendered by jinja2. They know tools' results by two names. */
function messagesOf({ input }: Golden): ChatMessageInput[] {
  return input.messages.map((message) => message as ChatMessageInput);
}

describe.each([
  ["llama-3", "llama3"],
  ["llama-3.1", "llama3.1"],
  ["llama-3.3", "llama3.1"],
  ["llama-3.2", "llama3.2"],
] as const)("%s", (format, template) => {
  const cases = goldens[template] as Golden[];

  test.each(cases.map((golden, index) => [index, golden] as const))(
    "says what the model's own template says, case %i",
    (_, golden) => {
      const { tools, builtin_tools, tools_in_user_message, add_generation_prompt, date_string } =
        golden.input;
      const prompt = renderChat(messagesOf(golden), {
        format,
        date: date_string,
        addGenerationPrompt: add_generation_prompt,
        ...(tools && { tools }),
        ...(builtin_tools && { builtinTools: builtin_tools }),
        ...(tools_in_user_message !== undefined && { toolsInUserMessage: tools_in_user_message }),
      });
      expect(promptToString(prompt)).toBe(golden.output);
    },
  );
});
