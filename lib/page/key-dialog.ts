import { byId } from "./page-elements.js";

/** Asks for an API key. What was given goes with the requests from then on. */
export class KeyDialog {
  readonly #dialog = byId<HTMLDialogElement>("key-dialog");
  readonly #field = byId<HTMLInputElement>("api-key");
  readonly #keep = byId<HTMLInputElement>("keep-key");
  readonly #problem = byId("key-problem");

  /** @param take the key, or undefined to forget it; whether it is kept for longer than this tab */
  constructor(take: (key: string | undefined, keep: boolean) => void) {
    byId("key-form").addEventListener("submit", (event) => {
      event.preventDefault();
      const key = this.#field.value.trim();
      // A header can carry nothing else.
      if (!/^[\x21-\x7e]*$/.test(key)) {
        this.#problem.textContent = "A key is of visible ASCII characters, without spaces.";
        return;
      }
      this.#field.value = "";
      this.#dialog.close();
      take(key === "" ? undefined : key, this.#keep.checked);
    });
    byId("cancel-key").addEventListener("click", () => this.#dialog.close());
    const open = byId("open-key");
    open.hidden = false;
    open.addEventListener("click", () => this.ask("An empty field forgets the key."));
  }

  ask(why: string): void {
    this.#problem.textContent = why;
    if (!this.#dialog.open) this.#dialog.showModal();
  }
}
