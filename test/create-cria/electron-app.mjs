// node electron-app.mjs PROJECT: starts the template's main process, loads its preload script and its page as the app
// would, and talks with it. node_modules/electron there is fake-electron.cjs. Prints what was seen, as JSON.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";

const project = path.resolve(process.argv[2]);
const require = createRequire(path.join(project, "package.json"));
const { seen } = require("electron");

/** An element as far as the page uses one. */
class FakeElement extends EventTarget {
  value = "";
  textContent = "";
  disabled = false;
  className = "";
  children = [];

  append(...children) {
    this.children.push(...children);
  }
}

const elements = new Map();
globalThis.document = {
  createElement: () => new FakeElement(),
  getElementById(id) {
    if (!elements.has(id)) elements.set(id, new FakeElement());
    return elements.get(id);
  },
};
globalThis.window = Object.assign(new EventTarget(), {
  location: { origin: "app://app" },
  postMessage(data, origin, ports) {
    if (origin !== "app://app") throw new Error(`posted to ${origin}`);
    window.dispatchEvent(Object.assign(new Event("message"), { source: window, data, ports }));
  },
});

require("./main.cjs");
await new Promise(setImmediate);
const [shown] = seen.windows;
require(shown.options.webPreferences.preload);
Object.assign(window, seen.exposed);

const get = (name) => seen.handlers.app({ url: `app://app/${name}` });
const page = mkdtempSync(path.join(tmpdir(), "cria-page-"));
writeFileSync(path.join(page, "package.json"), '{"type": "module"}');
for (const name of ["page.js", "cria.js"]) {
  writeFileSync(path.join(page, name), await (await get(name)).text());
}
await import(pathToFileURL(path.join(page, "page.js")));

const send = document.getElementById("send");
async function say(text) {
  document.getElementById("prompt").value = text;
  document.getElementById("composer").dispatchEvent(new Event("submit", { cancelable: true }));
  while (send.disabled) await new Promise((resolve) => setTimeout(resolve, 5));
}

await say("What is the weather in Lisbon?");
await say("My llama is called Luna.");
// The engine's process is gone, whether the page has heard of it or not: it starts another and goes on.
await seen.forked[0].kill();
await say("What is my llama called?");

const index = await get("");
console.log(
  JSON.stringify({
    messages: document
      .getElementById("messages")
      .children.map(({ className, textContent }) => [className, textContent]),
    forked: seen.forked.length,
    url: shown.url,
    opens: shown.openHandler({ url: "https://example.org" }),
    sandbox: shown.options.webPreferences.sandbox,
    schemes: seen.schemes.map(({ scheme }) => scheme),
    policy: index.headers.get("content-security-policy"),
    html: (await index.text()).includes('<script type="module" src="page.js">'),
    outside: (await get("..%2fpackage.json")).status,
  }),
);
await Promise.all(seen.forked.map((engine) => engine.kill()));
rmSync(page, { recursive: true });
