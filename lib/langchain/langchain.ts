export type { AnyContext } from "../electron/any-context.js";
export {
  ChatCria,
  type ChatCriaCallOptions,
  type ChatCriaFields,
  type ChatCriaSettings,
} from "./chat-cria.js";
export { CriaEmbeddings, type CriaEmbeddingsFields } from "./cria-embeddings.js";
