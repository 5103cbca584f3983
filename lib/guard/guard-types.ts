import type { Context } from "../context/context.js";

/** What a guard needs of its context. */
export type GuardContext = Pick<
  Context,
  "model" | "contextSize" | "sequences" | "disposed" | "score" | "generate"
>;

/** Which of the two Llama Guard 3 models a prompt is worded for. */
export type GuardVariant = "llama-guard-3-8b" | "llama-guard-3-1b";

/** A kind of content that is judged unsafe. */
export interface GuardCategory {
  /** What the model answers, such as "S1". A code keeps its meaning whatever else is left out. */
  readonly code: string;
  /** As it stands in the prompt. */
  readonly name: string;
  /** What belongs to it, for the model to read below the name. Meta's own categories have none. */
  readonly description?: string;
}

/** How conversations are judged. */
export interface GuardOptions {
  /**
   * Default "auto": recognised by the text of the model's template. Given, the model is not looked
   * at: for models whose file lost its template.
   */
  readonly variant?: GuardVariant | "auto";
  /** Default: Meta's, S1 to S14 (S13 for the 1B model). */
  readonly categories?: readonly GuardCategory[];
  /**
   * Codes of categories that are not to be judged; each is one of `categories` or of Meta's. The
   * others keep their codes. Default: none.
   */
  readonly exclude?: readonly string[];
  /** A message is unsafe where P(unsafe) is at least so much, 0…1. Default 0.5. */
  readonly threshold?: number;
}

/** What was found about the last message of a conversation. */
export interface GuardVerdict {
  /** Whether P(unsafe) is below the threshold and no unknown code was named. */
  readonly safe: boolean;
  /** P(unsafe), 0…1: a softmax over the model's two first words. */
  readonly score: number;
  /** What was violated; none where the model named none, and where nothing was asked for. */
  readonly categories: readonly GuardCategory[];
  /** Codes that the model named and that no category has. With one, a message is never safe. */
  readonly unknownCodes: readonly string[];
  /** Who wrote the message. */
  readonly judged: "user" | "assistant";
  /** The model's reply, as far as it was generated. */
  readonly raw: string;
}

/**
 * Meta's categories of Llama Guard 3, named as in its prompt; S14 is judged by the 8B model alone.
 *
 * Source: the model cards of Llama-Guard-3-8B and Llama-Guard-3-1B.
 */
export const LLAMA_GUARD_3_CATEGORIES: readonly GuardCategory[] = Object.freeze(
  [
    "Violent Crimes",
    "Non-Violent Crimes",
    "Sex Crimes",
    "Child Exploitation",
    "Defamation",
    "Specialized Advice",
    "Privacy",
    "Intellectual Property",
    "Indiscriminate Weapons",
    "Hate",
    "Self-Harm",
    "Sexual Content",
    "Elections",
    "Code Interpreter Abuse",
  ].map((name, index) => Object.freeze({ code: `S${index + 1}`, name })),
);
