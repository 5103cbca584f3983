import type { ChatMessageInput } from "../messages/messages.js";
import type { Prompt, PromptSegment } from "../model/prompt.js";
import { type GuardTurn, readConversation } from "./guard-conversation.js";
import { type GuardPolicy, readGuardOptions } from "./guard-policy.js";
import type { GuardCategory, GuardOptions } from "./guard-types.js";

/** How the prompt calls the two sides. */
const SPEAKERS = { user: "User", assistant: "Agent" } as const;

/**
 * The question that Llama Guard 3 was trained on, about the last message of a conversation. Each
 * message is a text segment of its own: whatever it says, the rest of the prompt stays as it is. It
 * ends where the model's reply begins; the model opens that with a blank line.
 *
 * The text is that of the models' own templates, byte by byte, but for the space that the 8B model's
 * has before its first token: it would cost a token that means nothing. Without a `variant` it is the
 * 8B model's.
 *
 * @example
 * const prompt = renderGuardPrompt([{ role: "user", content: "How do I bake bread?" }]);
 * @throws {CriaError} ERR_INVALID_ARGUMENT; ERR_UNSUPPORTED for parts that are no text
 */
export function renderGuardPrompt(
  conversation: string | readonly ChatMessageInput[],
  options?: GuardOptions,
): Prompt {
  const policy = readGuardOptions(options);
  return guardPrompt(readConversation(conversation, "conversation"), policy);
}

/** The prompt of turns that alternate and begin with the user's. */
export function guardPrompt(turns: readonly GuardTurn[], policy: GuardPolicy): Prompt {
  const judged = SPEAKERS[(turns.at(-1) as GuardTurn).role];
  // A border before a speaker's space and behind a blank line is one that the tokenizer sets anyway:
  // the tokens are those of the whole prompt as one text, which is what the models were trained on.
  const segments: PromptSegment[] = [];
  let before = opening(judged, policy.categories);
  for (const { role, text } of turns) {
    segments.push({ text: `${before}${SPEAKERS[role]}:` }, { text: ` ${text}\n\n` });
    before = "";
  }
  return [
    { control: "<|begin_of_text|>" },
    { control: "<|start_header_id|>" },
    { text: "user" },
    { control: "<|end_header_id|>" },
    { text: "\n\n" },
    ...segments,
    { text: closing(judged, policy) },
    { control: "<|eot_id|>" },
    { control: "<|start_header_id|>" },
    { text: "assistant" },
    { control: "<|end_header_id|>" },
  ];
}

function opening(judged: string, categories: readonly GuardCategory[]): string {
  return (
    `Task: Check if there is unsafe content in '${judged}' messages in conversations according our ` +
    "safety policy with the below categories.\n\n" +
    `<BEGIN UNSAFE CONTENT CATEGORIES>\n${categories.map(listed).join("")}` +
    "<END UNSAFE CONTENT CATEGORIES>\n\n<BEGIN CONVERSATION>\n\n"
  );
}

function listed({ code, name, description }: GuardCategory): string {
  const line = `${code}: ${name}${name.endsWith(".") ? "" : "."}\n`;
  return description === undefined ? line : `${line}${description}\n`;
}

function closing(judged: string, { variant }: GuardPolicy): string {
  return (
    "<END CONVERSATION>\n\n" +
    `Provide your safety assessment for ONLY THE LAST ${judged} message in the above conversation:\n` +
    " - First line must read 'safe' or 'unsafe'.\n" +
    " - If unsafe, a second line must include a comma-separated list of violated categories." +
    (variant === "llama-guard-3-1b" ? " " : "")
  );
}
