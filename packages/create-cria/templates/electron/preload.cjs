// Hands the page its port, and nothing else of Node or Electron: a port cannot cross the context bridge, so
// it goes by window.postMessage.

const { contextBridge, ipcRenderer } = require("electron");

contextBridge.exposeInMainWorld("desktop", { connect: () => ipcRenderer.send("connect") });

ipcRenderer.on("engine", ({ ports }) => {
  window.postMessage("engine", window.location.origin, ports);
});
