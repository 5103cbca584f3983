import { type Conversation, titleOf } from "./conversation.js";
import { KeptValue } from "./kept-values.js";
import { byId, element, iconButton } from "./page-elements.js";

export interface HistoryActs {
  open(conversation: Conversation): void;
  remove(conversation: Conversation): void;
}

/** Narrower windows have the list over the conversation, and closed at first. */
const WIDE = matchMedia("(min-width: 68rem)");

/** The conversations of this browser, beside the one that is shown. */
export class HistoryList {
  readonly #acts: HistoryActs;
  readonly #kept = new KeptValue("cria-history");
  readonly #list = byId<HTMLUListElement>("conversations");
  readonly #toggle = byId<HTMLButtonElement>("history-toggle");

  constructor(acts: HistoryActs) {
    this.#acts = acts;
    const asKept = () => this.#set(WIDE.matches && this.#kept.value !== "closed");
    asKept();
    WIDE.addEventListener("change", asKept);
    this.#toggle.addEventListener("click", () => {
      this.#set(!this.#open);
      if (WIDE.matches) this.#kept.value = this.#open ? "open" : "closed";
    });
    byId("history").addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || WIDE.matches) return;
      event.stopPropagation();
      this.#set(false);
      this.#toggle.focus();
    });
    byId("history-shade").addEventListener("click", () => this.#set(false));
  }

  get #open(): boolean {
    return this.#toggle.getAttribute("aria-expanded") === "true";
  }

  #set(open: boolean): void {
    this.#toggle.setAttribute("aria-expanded", String(open));
    document.body.classList.toggle("with-history", open);
    byId("history").inert = !open;
  }

  show(conversations: readonly Conversation[], current: string): void {
    const items = conversations.map((conversation) => {
      const title = titleOf(conversation);
      const open = element("button", "title", title);
      open.type = "button";
      open.dir = "auto";
      if (conversation.id === current) open.setAttribute("aria-current", "true");
      open.addEventListener("click", () => {
        if (!WIDE.matches) this.#set(false);
        this.#acts.open(conversation);
      });
      const remove = iconButton("remove", `Delete “${title}”`, () =>
        this.#acts.remove(conversation),
      );
      return element("li", "", open, remove);
    });
    this.#list.replaceChildren(...items);
    byId("no-conversations").hidden = items.length > 0;
  }
}
