// A port to the engine: Electron's, which the preload script hands over, or one over HTTP (serve-page.mjs).

import { decode, encode } from "./port-text.js";

/** Resolves with a port and the names of the models that may be loaded. */
export function openPort() {
  return window.desktop ? portFromPreload(window.desktop) : portOverHttp();
}

function portFromPreload(desktop) {
  return new Promise((resolve) => {
    const listener = ({ source, data, ports: [port] }) => {
      if (source !== window || data?.type !== "engine") return;
      window.removeEventListener("message", listener);
      resolve({ port, models: data.models });
    };
    window.addEventListener("message", listener);
    desktop.connect();
  });
}

/** As much of a MessagePort as `connect` needs. */
class HttpPort extends EventTarget {
  #source;
  #id;
  #waiting = [];
  #sending = false;

  constructor(source, id) {
    super();
    this.#source = source;
    this.#id = id;
    source.addEventListener("message", ({ data }) =>
      this.dispatchEvent(new MessageEvent("message", { data: decode(data) })),
    );
    source.addEventListener("error", () => this.close());
  }

  postMessage(message) {
    this.#waiting.push(encode(message));
    if (!this.#sending) this.#send();
  }

  /** One request at a time keeps the order; what comes up meanwhile goes with the next. */
  async #send() {
    this.#sending = true;
    while (this.#waiting.length > 0) {
      const body = this.#waiting.splice(0).join("\n");
      try {
        const { ok } = await fetch(`/port/${this.#id}`, { method: "POST", body });
        if (!ok) this.close();
      } catch {
        this.close();
      }
    }
    this.#sending = false;
  }

  close() {
    if (this.#source.readyState === EventSource.CLOSED) return;
    this.#source.close();
    this.dispatchEvent(new Event("close"));
  }
}

function portOverHttp() {
  return new Promise((resolve, reject) => {
    const source = new EventSource("/port");
    source.addEventListener("engine", ({ data }) => {
      const { id, models } = JSON.parse(data);
      resolve({ port: new HttpPort(source, id), models });
    });
    source.addEventListener("error", () => reject(new Error("The engine cannot be reached.")));
  });
}
