/**
 * Errors of a request in the words of its line: what reads it further in knows it by the names of the
 * library's options.
 */
export type Words = "openai" | "simple";

/** Fields of a simple line that are called otherwise than the options they become. */
const SIMPLE: Readonly<Record<string, string>> = { responseSchema: "schema" };

/** Of a request's body, by what becomes of them. */
const OPENAI: Readonly<Record<string, string>> = {
  messages: "messages",
  prompt: "prompt",
  inputs: "input",
  tools: "tools",
  toolChoice: "tool_choice",
  responseSchema: "response_format",
  maxTokens: "max_tokens",
  stop: "stop",
  logprobs: "logprobs",
  temperature: "temperature",
  topP: "top_p",
  logitBias: "logit_bias",
  seed: "seed",
};

/** A name at the beginning of a path in code quotes, as in `options.toolChoice.type` or `messages[0]`. */
const NAME = /`(options\.)?([A-Za-z]+)(?=[`.[( ])/g;

export function inWordsOf(words: Words, message: string): string {
  return message.replace(NAME, (whole, option: string | undefined, name: string) => {
    if (words === "openai") return Object.hasOwn(OPENAI, name) ? `\`body.${OPENAI[name]}` : whole;
    const own = Object.hasOwn(SIMPLE, name) ? SIMPLE[name] : name;
    return option === undefined ? whole : `\`${own}`;
  });
}
