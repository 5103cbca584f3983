// Hands the port to the page; nothing else of Node or Electron gets there.

const { ipcRenderer } = require("electron");

const loaded = new Promise((resolve) => {
  window.addEventListener("load", resolve, { once: true });
});

ipcRenderer.on("engine", async ({ ports }) => {
  await loaded;
  window.postMessage("engine", "*", ports);
});
