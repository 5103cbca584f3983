// The window and the engine are two processes that talk over a port of their own: a long generation
// never holds the window up, and a crash in one does not take the other along.

const path = require("node:path");
const { app, BrowserWindow, MessageChannelMain, utilityProcess } = require("electron");

app.whenReady().then(async () => {
  const engine = utilityProcess.fork(path.join(__dirname, "engine.cjs"));
  engine.on("exit", (code) => console.error(`The engine ended with code ${code}.`));

  const window = new BrowserWindow({
    webPreferences: { preload: path.join(__dirname, "preload.cjs") },
  });
  await window.loadFile(path.join(__dirname, "index.html"));

  const { port1, port2 } = new MessageChannelMain();
  engine.postMessage("window", [port1]);
  window.webContents.postMessage("engine", null, [port2]);
});

app.on("window-all-closed", () => app.quit());
