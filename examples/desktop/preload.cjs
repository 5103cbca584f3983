// Hands the page its port, and nothing else of Node or Electron: a port cannot cross the context bridge, so
// it goes by window.postMessage.

const { contextBridge, ipcRenderer } = require("electron");

contextBridge.exposeInMainWorld("desktop", {
  /** Asks for a port, which comes as a message to the window. */
  connect: () => ipcRenderer.send("connect"),
  /** Lets the user choose a file, and resolves with the model's name. */
  addModel: () => ipcRenderer.invoke("add-model"),
});

ipcRenderer.on("engine", ({ ports }, { models }) => {
  window.postMessage({ type: "engine", models }, window.location.origin, ports);
});
