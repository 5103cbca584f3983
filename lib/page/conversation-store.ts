import type { Conversation } from "./conversation.js";

const NAME = "cria-conversations";
const STORE = "conversations";

/** Keeps conversations in this browser. Where it keeps nothing, in private windows, they live as long as the page. */
export class ConversationStore {
  readonly #opening: Promise<IDBDatabase>;

  constructor() {
    this.#opening = new Promise((resolve, reject) => {
      const request = indexedDB.open(NAME, 1);
      request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: "id" });
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
    this.#opening.catch(() => {}); // who asks is told
  }

  /** The one that changed last goes first. */
  async all(): Promise<Conversation[]> {
    const all = await this.#ask<Conversation[]>("readonly", (store) => store.getAll());
    return all.sort((one, other) => other.updated - one.updated);
  }

  get(id: string): Promise<Conversation | undefined> {
    return this.#ask("readonly", (store) => store.get(id));
  }

  async put(conversation: Conversation): Promise<void> {
    await this.#ask("readwrite", (store) => store.put(conversation));
  }

  async remove(id: string): Promise<void> {
    await this.#ask("readwrite", (store) => store.delete(id));
  }

  async #ask<T>(
    mode: IDBTransactionMode,
    asking: (store: IDBObjectStore) => IDBRequest,
  ): Promise<T> {
    const database = await this.#opening;
    return new Promise((resolve, reject) => {
      const transaction = database.transaction(STORE, mode);
      const request = asking(transaction.objectStore(STORE));
      transaction.oncomplete = () => resolve(request.result as T);
      transaction.onabort = () => reject(transaction.error);
    });
  }
}
