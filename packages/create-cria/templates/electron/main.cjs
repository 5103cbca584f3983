// The main process: a window, the engine's process, and a port between the two. It computes nothing.

const fs = require("node:fs/promises");
const path = require("node:path");
const {
  app,
  BrowserWindow,
  ipcMain,
  MessageChannelMain,
  protocol,
  utilityProcess,
} = require("electron");

const ORIGIN = "app://app";

/** cria's client for pages is one file, which imports nothing. */
const CLIENT = path.join(path.dirname(require.resolve("cria/electron")), "electron-page.js");
const PAGE = {
  "/": [path.join(__dirname, "page", "index.html"), "text/html"],
  "/page.js": [path.join(__dirname, "page", "page.js"), "text/javascript"],
  "/style.css": [path.join(__dirname, "page", "style.css"), "text/css"],
  "/cria.js": [CLIENT, "text/javascript"],
};
const POLICY = "default-src 'none'; script-src 'self'; style-src 'self'";

protocol.registerSchemesAsPrivileged([
  { scheme: "app", privileges: { standard: true, secure: true, supportFetchAPI: true } },
]);

async function answer({ url }) {
  const [file, type] = PAGE[new URL(url).pathname] ?? [];
  if (file === undefined) return new Response("Not found", { status: 404 });
  return new Response(await fs.readFile(file), {
    headers: { "Content-Type": `${type}; charset=utf-8`, "Content-Security-Policy": POLICY },
  });
}

let engine;

/** A crash of the engine's process takes no window along: the next port leads to a new one. */
function startEngine() {
  const started = utilityProcess.fork(path.join(__dirname, "engine.cjs"), [], {
    serviceName: "cria engine",
  });
  started.once("exit", () => {
    if (engine === started) engine = undefined;
  });
  return started;
}

/** A page asks for a port when it has loaded, and when it has lost its engine. */
ipcMain.on("connect", ({ sender, senderFrame }) => {
  if (!senderFrame?.url.startsWith(`${ORIGIN}/`)) return;
  engine ??= startEngine();
  const { port1, port2 } = new MessageChannelMain();
  engine.postMessage("page", [port1]);
  sender.postMessage("engine", null, [port2]);
});

function openWindow() {
  const window = new BrowserWindow({
    width: 760,
    height: 640,
    webPreferences: { preload: path.join(__dirname, "preload.cjs"), sandbox: true },
  });
  // The page leads nowhere.
  window.webContents.on("will-navigate", (event) => event.preventDefault());
  window.webContents.setWindowOpenHandler(() => ({ action: "deny" }));
  window.loadURL(`${ORIGIN}/`);
}

app.whenReady().then(() => {
  protocol.handle("app", answer);
  openWindow();
  app.on("activate", () => BrowserWindow.getAllWindows().length === 0 && openWindow());
});

app.on("window-all-closed", () => app.quit());
