// As much of Electron as the template uses: one window, and a utility process that is a thread with a
// `process.parentPort`. Real ports lead from the page to the engine.

const { EventEmitter } = require("node:events");
const { MessageChannel, Worker } = require("node:worker_threads");

/** The utility process's side, in front of the app's own file. */
const CHILD = `
  const { parentPort, workerData } = require("node:worker_threads");
  process.parentPort = {
    on: (name, listener) => parentPort.on(name, ({ data, ports }) => listener({ data, ports })),
  };
  require(workerData);
`;

class UtilityProcess extends EventEmitter {
  #worker;

  constructor(file) {
    super();
    this.#worker = new Worker(CHILD, { eval: true, workerData: file });
    this.#worker.once("exit", (code) => this.emit("exit", code));
  }

  postMessage(data, ports = []) {
    this.#worker.postMessage({ data, ports }, ports);
  }

  kill() {
    return this.#worker.terminate();
  }
}

const seen = { forked: [], windows: [], handlers: {}, schemes: [], exposed: {} };

exports.seen = seen;
exports.app = Object.assign(new EventEmitter(), { whenReady: async () => {}, quit() {} });
exports.ipcMain = new EventEmitter();
exports.ipcRenderer = Object.assign(new EventEmitter(), {
  send(channel) {
    const sender = {
      postMessage: (name, data, ports) => exports.ipcRenderer.emit(name, { ports }, data),
    };
    exports.ipcMain.emit(channel, { sender, senderFrame: { url: seen.windows[0].url } });
  },
});
exports.contextBridge = {
  exposeInMainWorld(name, api) {
    seen.exposed[name] = api;
  },
};
exports.MessageChannelMain = MessageChannel;
exports.protocol = {
  registerSchemesAsPrivileged: (schemes) => seen.schemes.push(...schemes),
  handle(scheme, handler) {
    seen.handlers[scheme] = handler;
  },
};
exports.utilityProcess = {
  fork(file) {
    seen.forked.push(new UtilityProcess(file));
    return seen.forked.at(-1);
  },
};
exports.BrowserWindow = class {
  webContents = Object.assign(new EventEmitter(), {
    setWindowOpenHandler: (handler) => {
      this.openHandler = handler;
    },
  });

  constructor(options) {
    this.options = options;
    seen.windows.push(this);
  }

  loadURL(url) {
    this.url = url;
  }

  static getAllWindows() {
    return seen.windows;
  }
};
