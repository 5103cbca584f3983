import { asyncDispose } from "../internal/async-dispose.js";
import type { CriaError } from "../internal/errors.js";
import type { LoadModelOptions } from "../model/model-options.js";
import { Connection } from "./connection.js";
import { checkPort, type PortLike } from "./message-port.js";
import { loadRemoteModel, type RemoteModel } from "./remote-model.js";

export { CriaError, type CriaErrorCode } from "../internal/errors.js";
export type { PortLike } from "./message-port.js";
export type {
  RemoteChatGuard,
  RemoteChatSessionOptions,
  RemoteChatTurnOptions,
} from "./remote-chat-options.js";
export { RemoteChatSession as ChatSession } from "./remote-chat-session.js";
export type { ModelFacts, RemoteContext } from "./remote-context.js";
export type { RemoteGenerateOptions, RemoteGrammar } from "./remote-generate-options.js";
export { RemoteLlamaGuard as LlamaGuard } from "./remote-guard.js";
export type { RemoteModel } from "./remote-model.js";
export { defineTool, type RemoteTool } from "./remote-tools.js";

/** An engine in another process, or in another thread. */
export interface RemoteEngine extends AsyncDisposable {
  /** `Model.load`, on the other side of the port. */
  readonly Model: {
    /**
     * Loads a model there. The server decides what `path` names: a file's path or a name of its own.
     *
     * @throws {CriaError} as `Model.load` of "cria"; ERR_QUEUE_FULL, ERR_CONNECTION_CLOSED; the signal's reason;
     * what `onProgress` threw; what the server's `models` threw
     */
    load(path: string, options?: LoadModelOptions): Promise<RemoteModel>;
  };
  /**
   * Resolves when the connection is over, however it ended, with the error that everything pending was rejected
   * with.
   */
  readonly closed: Promise<CriaError>;
  /** Ends the connection: pending calls reject with ERR_CONNECTION_CLOSED, the server frees what they had. */
  close(): void;
}

/**
 * The engine behind a port that `serve` of "cria/electron/server" has the other end of. Works in a page, where it
 * loads nothing of Node, in a preload script, in Electron's main process and in Node.
 *
 * @example
 * const { Model } = connect(port);
 * const model = await Model.load("assistant");
 * const context = await model.createContext();
 * for await (const { text } of context.generate("Once upon a time")) page.append(text);
 * @throws {CriaError} ERR_INVALID_ARGUMENT
 */
export function connect(port: PortLike): RemoteEngine {
  const connection = new Connection(checkPort(port));
  return {
    Model: { load: (path, options) => loadRemoteModel(connection, path, options) },
    closed: connection.closed,
    close: () => connection.close(),
    [asyncDispose]: async () => connection.close(),
  };
}
