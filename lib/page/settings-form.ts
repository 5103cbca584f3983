import type { AnswerSettings, ChatTransport } from "./chat-transport.js";
import { KeptValue } from "./kept-values.js";
import { byId } from "./page-elements.js";

/** Fields of the form, by what they are in the settings. */
const NUMBERS = {
  temperature: "temperature",
  topP: "top-p",
  topK: "top-k",
  minP: "min-p",
  maxTokens: "max-tokens",
  seed: "seed",
} as const;

/** How answers are to be: a form in a dialog, kept in this browser. */
export class SettingsForm {
  readonly #dialog = byId<HTMLDialogElement>("settings");
  readonly #form = byId<HTMLFormElement>("settings-form");
  readonly #tools = byId<HTMLTextAreaElement>("tools");
  readonly #takesTools: boolean;
  readonly #kept = new KeptValue("cria-settings");

  constructor(transport: ChatTransport) {
    this.#takesTools = transport.takesTools;
    byId("tools-field").hidden = !this.#takesTools;
    this.#restore();
    byId("open-settings").addEventListener("click", () => this.#dialog.showModal());
    this.#form.addEventListener("input", () => this.#changed());
    this.#form.addEventListener("submit", () => this.#changed());
    byId("reset-settings").addEventListener("click", () => {
      this.#form.reset();
      this.#changed();
    });
    // A click beside the dialog is one on the dialog itself: its form fills it.
    this.#dialog.addEventListener("click", ({ target }) => {
      if (target === this.#dialog && this.#form.checkValidity()) this.#dialog.close();
    });
    this.#changed();
  }

  get settings(): AnswerSettings {
    const read = Object.entries(NUMBERS).map(([name, id]) => {
      const field = byId<HTMLInputElement>(id);
      return [name, field.value === "" || !field.validity.valid ? undefined : field.valueAsNumber];
    });
    const system = byId<HTMLTextAreaElement>("system").value.trim();
    const effort = byId<HTMLSelectElement>("effort").value;
    const given: Record<string, unknown> = {
      ...Object.fromEntries(read),
      system: system === "" ? undefined : system,
      effort: effort === "" ? undefined : effort,
      tools: this.#takesTools ? readTools(this.#tools.value).tools : undefined,
    };
    const known = Object.entries(given).filter(([, value]) => value !== undefined);
    return Object.fromEntries(known) as AnswerSettings;
  }

  #changed(): void {
    const problem = this.#takesTools ? readTools(this.#tools.value).problem : undefined;
    this.#tools.setCustomValidity(problem ?? "");
    byId("tools-problem").textContent = problem ?? "";
    const values = [...this.#fields()].map(({ id, value }) => [id, value] as const);
    this.#kept.value = JSON.stringify(Object.fromEntries(values));
    // So that it can be seen from outside that answers are not as the model would have them.
    const changed = values.some(([, value]) => value !== "");
    byId("open-settings").classList.toggle("changed", changed);
  }

  *#fields(): Generator<HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement> {
    for (const id of [...Object.values(NUMBERS), "system", "effort", "tools"]) yield byId(id);
  }

  #restore(): void {
    let saved: unknown;
    try {
      saved = JSON.parse(this.#kept.value ?? "{}");
    } catch {
      return; // written by something else
    }
    for (const field of this.#fields()) {
      const value = Object(saved)[field.id];
      if (typeof value === "string") field.value = value;
    }
  }
}

/** Tools in OpenAI's form, or what keeps the text from being that. */
function readTools(text: string): { tools?: readonly object[]; problem?: string } {
  if (text.trim() === "") return {};
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return { problem: `This is not JSON: ${(error as Error).message}` };
  }
  const tools: unknown[] = Array.isArray(value) ? value : [value];
  const isTool = (tool: unknown) => typeof Object(tool).function?.name === "string";
  if (tools.every(isTool)) return { tools: tools as object[] };
  return {
    problem:
      'Expected an array of tools, such as [{"type": "function", "function": {"name": "…", "parameters": {…}}}]',
  };
}
