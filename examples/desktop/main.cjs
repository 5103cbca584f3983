// The main process: a window, the engine's process, and a port between the two. It computes nothing, and
// what the page may do goes through that port or one of the two handlers below.

const path = require("node:path");
const {
  app,
  BrowserWindow,
  dialog,
  ipcMain,
  MessageChannelMain,
  protocol,
  shell,
  utilityProcess,
} = require("electron");
const { findModels, modelOf } = require("./model-files.cjs");
const { pageFile } = require("./page-files.cjs");

const ORIGIN = "app://desktop";

protocol.registerSchemesAsPrivileged([
  { scheme: "app", privileges: { standard: true, secure: true, supportFetchAPI: true } },
]);

let engine;
let models = [];

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

/** Each load of the page asks for a port, and so does a page that has lost its engine. */
ipcMain.on("connect", ({ sender, senderFrame }) => {
  if (!senderFrame?.url.startsWith(`${ORIGIN}/`)) return;
  engine ??= startEngine();
  const { port1, port2 } = new MessageChannelMain();
  engine.postMessage({ models }, [port1]);
  sender.postMessage("engine", { models: models.map(({ name }) => name) }, [port2]);
});

/** The user, not the page, says which other file may be loaded. */
ipcMain.handle("add-model", async ({ sender, senderFrame }) => {
  if (!senderFrame?.url.startsWith(`${ORIGIN}/`)) return undefined;
  const { filePaths } = await dialog.showOpenDialog(BrowserWindow.fromWebContents(sender), {
    title: "Choose a model",
    filters: [{ name: "Models (GGUF)", extensions: ["gguf"] }],
    properties: ["openFile"],
  });
  if (filePaths.length === 0) return undefined;
  const added = modelOf(filePaths[0]);
  models = [...models.filter(({ name }) => name !== added.name), added];
  engine?.postMessage({ models });
  return added.name;
});

function openWindow() {
  const window = new BrowserWindow({
    width: 980,
    height: 760,
    minWidth: 420,
    minHeight: 480,
    title: "Cria",
    webPreferences: {
      preload: path.join(__dirname, "preload.cjs"),
      contextIsolation: true,
      sandbox: true,
      nodeIntegration: false,
    },
  });
  window.setMenuBarVisibility(false);
  // The page leads nowhere: a link opens in the browser.
  window.webContents.on("will-navigate", (event) => event.preventDefault());
  window.webContents.setWindowOpenHandler(({ url }) => {
    if (url.startsWith("https://")) shell.openExternal(url);
    return { action: "deny" };
  });
  window.loadURL(`${ORIGIN}/`);
  return window;
}

app.whenReady().then(() => {
  protocol.handle("app", async ({ url }) => {
    const file = await pageFile(new URL(url).pathname);
    return file ? new Response(file.body, file) : new Response("Not found", { status: 404 });
  });
  const folder = path.join(app.getPath("userData"), "models");
  models = findModels({ folder, resourcesPath: process.resourcesPath });
  openWindow();
  app.on("activate", () => BrowserWindow.getAllWindows().length === 0 && openWindow());
});

app.on("window-all-closed", () => app.quit());
