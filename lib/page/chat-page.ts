// The chat page: what index.html shows, on whichever transport main.js gives it.
import { ActiveChat } from "./active-chat.js";
import { type ChatTransport, TransportError } from "./chat-transport.js";
import { Composer } from "./composer.js";
import { type Conversation, newConversation } from "./conversation.js";
import { ConversationStore } from "./conversation-store.js";
import { HistoryList } from "./history-list.js";
import { KeptValue } from "./kept-values.js";
import { KeyDialog } from "./key-dialog.js";
import { byId, element, textButton } from "./page-elements.js";
import { SettingsForm } from "./settings-form.js";
import { initThemeButton } from "./theme-button.js";

export * from "./chat-transport.js";
export { HttpTransport } from "./http-transport.js";

/** Shows the chat. The page has one, for as long as it is there. */
export function startPage(transport: ChatTransport): void {
  void new ChatPage(transport).start();
}

const keptModel = new KeptValue("cria-model");
/** Of this tab: a new one begins a new chat. */
const keptConversation = new KeptValue("cria-conversation", "sessionStorage");
const AGAIN_MS = 1000;

class ChatPage {
  readonly #transport: ChatTransport;
  readonly #store = new ConversationStore();
  readonly #settings: SettingsForm;
  readonly #keys: KeyDialog | undefined;
  readonly #composer: Composer;
  readonly #history: HistoryList;
  readonly #chat: ActiveChat;
  readonly #model = byId<HTMLSelectElement>("model");
  #conversations: Conversation[] = [];
  #ready = false;
  /** Whether nothing was known of the model before it has answered. */
  #factsLater = false;
  #leaving = false;

  constructor(transport: ChatTransport) {
    this.#transport = transport;
    initThemeButton();
    this.#settings = new SettingsForm(transport);
    if (transport.setKey !== undefined) {
      this.#keys = new KeyDialog((key, keep) => {
        transport.setKey?.(key, keep);
        void this.#connect();
      });
    }
    this.#composer = new Composer(
      {
        send: (text, images) => void this.#chat.send(text, images),
        stop: () => this.#chat.stop(),
        editLast: () => this.#chat.editLast(),
        complain: (text) => this.#say(text, true),
      },
      transport.takesImages,
    );
    this.#chat = new ActiveChat({
      transport,
      request: () => ({
        model: this.#model.value,
        settings: this.#settings.settings,
        choices: this.#choices(),
      }),
      changed: () => this.#showState(),
      keep: (conversation) => this.#keep(conversation),
      failed: (error) => this.#askForKey(error),
      answered: () => void this.#tellFacts(),
    });
    this.#history = new HistoryList({
      open: (conversation) => void this.#open(conversation),
      remove: (conversation) => void this.#remove(conversation),
    });
    this.#showChoices();
    this.#showSuggestions();
    this.#listen();
  }

  async start(): Promise<void> {
    byId("model-facts").textContent = this.#transport.place;
    const [, current] = await Promise.all([this.#readConversations(), this.#current()]);
    await this.#open(current);
    this.#composer.focus();
    await this.#connect();
  }

  #listen(): void {
    this.#model.addEventListener("change", () => void this.#use(this.#model.value));
    byId("new-chat").addEventListener("click", () => void this.#open(newConversation()));
    addEventListener("keydown", ({ key }) => {
      if (key === "Escape" && document.querySelector("dialog[open]") === null) this.#chat.stop();
    });
    addEventListener("pagehide", () => {
      this.#leaving = true;
    });
    // Another tab may have changed them.
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) void this.#readConversations();
    });
    if (this.#transport.addModel !== undefined) {
      const add = byId("add-model");
      add.hidden = false;
      add.addEventListener("click", () => void this.#addModel());
    }
  }

  async #addModel(): Promise<void> {
    const name = await this.#transport.addModel?.();
    if (name === undefined) return;
    if (![...this.#model.options].some(({ value }) => value === name)) {
      this.#model.append(new Option(name, name));
    }
    this.#model.value = name;
    await this.#use(name);
  }

  /** Connects, and again when the connection is lost: the conversation is here and goes on. */
  async #connect(): Promise<void> {
    this.#ready = false;
    this.#showState();
    this.#say("Connecting…");
    try {
      const names = await this.#transport.models();
      void this.#transport.lost?.then(() => {
        if (!this.#leaving) void this.#connect();
      });
      const picked = keptModel.value ?? names[0];
      const options = names.map((name) => new Option(name, name, false, name === picked));
      this.#model.replaceChildren(...options);
    } catch (error) {
      this.#say((error as Error).message, true);
      // What the server has said, it would say again.
      if (this.#askForKey(error) || (error instanceof TransportError && error.status)) return;
      setTimeout(() => void this.#connect(), AGAIN_MS);
      return;
    }
    await this.#use(this.#model.value);
  }

  async #use(name: string): Promise<void> {
    const bar = byId("loading");
    this.#ready = false;
    this.#showState();
    this.#say(`Loading ${name}…`);
    bar.hidden = false;
    try {
      const facts = await this.#transport.use(name, (share) => {
        bar.setAttribute("aria-valuenow", String(Math.round(share * 100)));
        (bar.firstElementChild as HTMLElement).style.width = `${share * 100}%`;
      });
      this.#showFacts(facts);
      this.#factsLater = facts === "";
      keptModel.value = name;
      this.#ready = true;
      this.#say("");
    } catch (error) {
      this.#askForKey(error);
      this.#say((error as Error).message, true);
    } finally {
      bar.hidden = true;
      this.#showState();
    }
  }

  /** A server knows more about a model once it has loaded it. */
  async #tellFacts(): Promise<void> {
    if (!this.#factsLater) return;
    this.#factsLater = false;
    const facts = await this.#transport.use(this.#model.value, () => {}).catch(() => "");
    this.#showFacts(facts);
  }

  #showFacts(facts: string): void {
    byId("model-facts").textContent = [facts, this.#transport.place].filter(Boolean).join(" ");
  }

  #askForKey(error: unknown): boolean {
    if (!(error instanceof TransportError) || error.status !== 401) return false;
    this.#keys?.ask(error.message);
    return true;
  }

  #showState(): void {
    this.#composer.setState(this.#ready, this.#chat.running);
    this.#model.disabled = this.#chat.running;
    // What had the focus may be gone, with a message or as the button that stops.
    if (document.activeElement === document.body) this.#composer.focus();
  }

  #say(text: string, failed = false, act?: HTMLElement): void {
    const status = byId("status");
    status.replaceChildren(text, ...(act === undefined ? [] : [" ", act]));
    status.classList.toggle("failed", failed);
  }

  #choices(): Record<string, string> {
    return Object.fromEntries(
      this.#transport.choices.map(({ id }) => [id, byId<HTMLSelectElement>(id).value]),
    );
  }

  #showChoices(): void {
    for (const { id, label, options, initial } of this.#transport.choices) {
      const select = element("select");
      select.id = id;
      for (const [value, text] of options) {
        select.append(new Option(text, value, value === initial, value === initial));
      }
      const field = element("label", "field", element("span", "label", label), select);
      byId("model-field").after(field);
    }
  }

  #showSuggestions(): void {
    const items = this.#transport.suggestions.map(([text, about]) => {
      const button = textButton(text, () => {
        if (this.#ready && !this.#chat.running) void this.#chat.send(text, []);
      });
      button.append(element("small", "", about));
      return element("li", "", button);
    });
    byId("suggestions").append(...items);
  }

  async #current(): Promise<Conversation> {
    const id = keptConversation.value;
    const kept = id === null ? undefined : await this.#store.get(id).catch(() => undefined);
    return kept ?? newConversation();
  }

  async #readConversations(): Promise<void> {
    // Without a store there are those of this page.
    this.#conversations = await this.#store.all().catch(() => this.#conversations);
    this.#showHistory();
  }

  #showHistory(): void {
    this.#history.show(this.#conversations, this.#chat.conversation.id);
  }

  async #open(conversation: Conversation): Promise<void> {
    await this.#chat.open(conversation);
    keptConversation.value = conversation.id;
    this.#showHistory();
    this.#composer.focus();
  }

  #keep(conversation: Conversation): void {
    const others = this.#conversations.filter(({ id }) => id !== conversation.id);
    this.#conversations = [conversation, ...others];
    this.#showHistory();
    this.#store.put(conversation).catch((error) => {
      this.#say(`This browser does not keep the conversation: ${error.message}`, true);
    });
  }

  async #remove(conversation: Conversation): Promise<void> {
    this.#conversations = this.#conversations.filter(({ id }) => id !== conversation.id);
    if (this.#chat.conversation.id === conversation.id) await this.#open(newConversation());
    await this.#store.remove(conversation.id).catch(() => {});
    this.#showHistory();
    const undo = textButton("Undo", () => {
      this.#keep(conversation);
      this.#say("");
    });
    this.#say("The conversation is deleted.", false, undo);
    undo.focus();
  }
}
