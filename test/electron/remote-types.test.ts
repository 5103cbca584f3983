// The remote shapes are the local ones where that is promised: this file is checked by tsc, and runs
// only so that Jest finds a test in it.
import type * as remote from "../../lib/electron/electron-client.js";
import type * as local from "../../lib/index.js";

type Same<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** Each has to be `true`. */
interface Promised {
  readonly facts: Same<
    Omit<remote.RemoteModel, "createContext" | "tokenizeAsync" | "disposed" | "dispose" | symbol>,
    remote.ModelFacts
  >;
  readonly path: Same<remote.ModelFacts["metadata"], local.Model["metadata"]>;
  /** All that is data in a local model, and nothing else. */
  readonly factNames: Same<
    keyof remote.ModelFacts,
    | ("path" | "description" | "architecture" | "parameterCount" | "sizeInBytes")
    | ("contextLength" | "embeddingLength" | "layerCount" | "vocabularySize" | "fingerprint")
    | ("loadOptions" | "metadata" | "chatTemplate" | "media" | "specialTokens")
  >;
  readonly load: Same<
    Parameters<remote.RemoteEngine["Model"]["load"]>,
    Parameters<typeof local.Model.load>
  >;
  readonly createContext: Same<
    Parameters<remote.RemoteModel["createContext"]>,
    Parameters<local.Model["createContext"]>
  >;
  readonly tokenizeAsync: Same<remote.RemoteModel["tokenizeAsync"], local.Model["tokenizeAsync"]>;
  readonly generation: Same<
    ReturnType<remote.RemoteContext["generate"]>,
    ReturnType<local.Context["generate"]>
  >;
  readonly result: Same<
    ReturnType<remote.RemoteContext["generateText"]>,
    ReturnType<local.Context["generateText"]>
  >;
  readonly prompt: Same<
    Parameters<remote.RemoteContext["generate"]>[0],
    Parameters<local.Context["generate"]>[0]
  >;
  readonly options: Same<
    Omit<remote.RemoteGenerateOptions, "grammar">,
    Omit<local.GenerateOptions, "grammar" | "sampler" | "adapters">
  >;
  readonly score: Same<remote.RemoteContext["score"], local.Context["score"]>;
  readonly choose: Same<remote.RemoteContext["choose"], local.Context["choose"]>;
  readonly embed: Same<remote.RemoteContext["embed"], local.Context["embed"]>;
  readonly rank: Same<remote.RemoteContext["rank"], local.Context["rank"]>;
  readonly stats: Same<Awaited<ReturnType<remote.RemoteContext["stats"]>>, local.ContextStats>;
  readonly dispose: Same<remote.RemoteContext["dispose"], local.Context["dispose"]>;
  readonly contextFacts: Same<
    Pick<remote.RemoteContext, "contextSize" | "sequences" | "batchSize" | "pooling" | "disposed">,
    Pick<local.Context, "contextSize" | "sequences" | "batchSize" | "pooling" | "disposed">
  >;
  readonly turn: Same<
    ReturnType<remote.ChatSession["send"]>,
    ReturnType<local.ChatSession["send"]>
  >;
  readonly input: Same<
    Parameters<remote.ChatSession["send"]>[0],
    Parameters<local.ChatSession["send"]>[0]
  >;
  readonly turnOptions: Same<
    Omit<remote.RemoteChatTurnOptions, "grammar" | "tools" | "guard">,
    Omit<
      local.ChatTurnOptions,
      "grammar" | "tools" | "guard" | "sampler" | "summarize" | "adapters"
    >
  >;
  readonly messages: Same<remote.ChatSession["messages"], local.ChatSession["messages"]>;
  readonly moderate: Same<remote.LlamaGuard["moderate"], local.LlamaGuard["moderate"]>;
  readonly guardOptions: Same<
    ConstructorParameters<typeof remote.LlamaGuard>[1],
    ConstructorParameters<typeof local.LlamaGuard>[1]
  >;
  readonly tool: Same<Parameters<typeof remote.defineTool>, Parameters<typeof local.defineTool>>;
}

type Broken = {
  [Name in keyof Promised]: Promised[Name] extends true ? never : Name;
}[keyof Promised];

test("no promised shape has drifted", () => {
  const broken: Broken[] = [];
  const none: Same<Broken, never> = true;
  expect(broken).toEqual([]);
  expect(none).toBe(true);
});
