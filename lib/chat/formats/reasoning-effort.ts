/** How hard a model thinks. */
export type ReasoningEffort = "none" | "low" | "medium" | "high";

/** Efforts that other APIs know besides. */
export const EFFORTS = ["none", "minimal", "low", "medium", "high", "xhigh", "max"] as const;

/** "minimal" is the least that thinks, "xhigh" and "max" are the most. */
export function nearestEffort(effort: (typeof EFFORTS)[number]): ReasoningEffort {
  if (effort === "minimal") return "low";
  return effort === "xhigh" || effort === "max" ? "high" : effort;
}

/** How much a model thinks. One that does not think ignores it. */
export interface ReasoningOptions {
  /**
   * "none" turns thoughts off: by the template where it can, else they are ended where they begin. The
   * others turn them on, with that effort where the template knows efforts. Default: the template's.
   */
  readonly effort?: ReasoningEffort;
  /** How many tokens the thoughts may take, 0…2^31 - 1; their end is written for the model. Default: any number. */
  readonly budget?: number;
  /** Whether thoughts are told, kept in the history and judged by a guard. Default true. */
  readonly show?: boolean;
}

/** What templates call it. A template is only given what it looks for. */
const SWITCHES: readonly (readonly [name: string, off: unknown, on: unknown])[] = [
  ["enable_thinking", false, true],
  ["thinking", false, true],
  ["thinking_mode", "disabled", "enabled"],
];

/** Variables of the template that turn thoughts off, or on with an effort. */
export function effortVariables(
  template: string,
  effort: ReasoningEffort | undefined,
): Record<string, unknown> {
  if (effort === undefined) return {};
  const off = effort === "none";
  const variables: Record<string, unknown> = {};
  const set = (name: string, value: unknown) => {
    // The word "thinking" may stand anywhere, in an error's text for instance.
    const before = name === "thinking" ? "(?:if|elif|not|set)\\s{1,20}" : "\\b";
    if (new RegExp(`${before}${name}\\b`).test(template)) variables[name] = value;
  };
  for (const [name, no, yes] of SWITCHES) set(name, off ? no : yes);
  if (off) set("thinking_budget", 0);
  set("reasoning_effort", effortOf(template, effort));
  if (!off) {
    set("reasoning_strength", effort);
    // Kimi's template knows no medium.
    set("thinking_effort", effort === "medium" ? "high" : effort);
  }
  return variables;
}

function effortOf(template: string, effort: ReasoningEffort): string {
  const knows = (name: string) => template.includes(`'${name}'`) || template.includes(`"${name}"`);
  if (effort === "none") {
    if (knows("no_think")) return "no_think";
    // Bounded, so that the time is linear in the template, which is a stranger's.
    return /reasoning_effort[^%}]{0,100}== {0,4}["']none["']/.test(template) ? "none" : "low";
  }
  // Hunyuan's template has low and high alone.
  return effort === "medium" && knows("no_think") ? "high" : effort;
}
