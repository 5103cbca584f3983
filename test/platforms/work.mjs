import path from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../..", import.meta.url));
/** Everything that the platforms' tests fetch and write. */
export const work = path.join(root, ".build", "platforms");
