import type { ChatEvent } from "../../chat/chat-turn.js";
import { resultText } from "../../chat/tool-execution.js";
import type { GuardVerdict } from "../../guard/guard-types.js";
import type { Terminal } from "./terminal.js";
import { visible } from "./visible.js";

/** Shows a turn to a person: the answer on stdout, the work of tools on stderr. */
export class TurnView {
  readonly #terminal: Terminal;
  #writingSince: number | null = null;
  #writingMs = 0;
  #thoughts = "";

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  /** How long the model wrote: neither reading prompts nor the tools' work counts. */
  get writingMs(): number {
    return this.#writingMs;
  }

  /** For `onProgress` of the turn. */
  readonly reading = (evaluated: number, total: number): void => {
    if (evaluated === total) this.#writingSince ??= performance.now();
    this.#terminal.progress("reading", evaluated / total);
  };

  async show(event: ChatEvent): Promise<void> {
    if (event.type === "reasoning") {
      this.#writingSince ??= performance.now();
      this.#thoughts += event.text;
      return;
    }
    const thoughts = this.#thoughts.trim();
    this.#thoughts = "";
    if (thoughts !== "") await this.#terminal.aside(visible(thoughts));
    switch (event.type) {
      case "text":
        this.#writingSince ??= performance.now();
        return this.#terminal.answer(event.text);
      case "tool-call":
        this.#written();
        return this.#terminal.aside(
          visible(`${event.call.function.name}(${event.call.function.arguments})`),
        );
      case "tool-result": {
        const { name, result, error } = event;
        const outcome = error === undefined ? `: ${resultText(result)}` : ` failed: ${error}`;
        return this.#terminal.aside(visible(name + outcome));
      }
      case "moderation":
        if (event.verdict.safe) return;
        return this.#terminal.aside(visible(`${event.direction} blocked: ${why(event.verdict)}`));
      case "finish":
        this.#written();
    }
  }

  #written(): void {
    if (this.#writingSince !== null) this.#writingMs += performance.now() - this.#writingSince;
    this.#writingSince = null;
  }
}

function why({ categories, unknownCodes, score }: GuardVerdict): string {
  const named = [...categories.map(({ code, name }) => `${code} ${name}`), ...unknownCodes];
  return `${named.join(", ") || "unsafe"} (${score.toFixed(2)})`;
}
