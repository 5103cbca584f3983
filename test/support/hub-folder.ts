import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CONDUCT, type Conduct } from "../../lib/hub/hub-client.js";
import { Random } from "./random.js";

/** The variables that lead to a cache, a hub or a token. */
const VARIABLES = [
  ...["HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "XDG_CACHE_HOME", "HF_TOKEN_PATH"],
  ...["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_ENDPOINT", "HF_HUB_OFFLINE"],
  "HF_HUB_DISABLE_IMPLICIT_TOKEN",
];

/** Small pieces, no pauses. */
export const HASTY: Conduct = {
  ...CONDUCT,
  ...{ tries: 4, retryMs: 1, retryMaxMs: 2, retryAfterMaxMs: 1500, stallMs: 5000 },
  ...{ blockBytes: 16_384, chunkBytes: 131_072, connections: 3 },
};

/** A cache of a test's own, and nothing of this machine's environment. */
export class HubFolder {
  readonly path = mkdtempSync(join(tmpdir(), "cria-hub-"));
  readonly #before = new Map(VARIABLES.map((name) => [name, process.env[name]]));

  constructor(endpoint: string) {
    for (const name of VARIABLES) delete process.env[name];
    process.env.HF_HOME = this.path;
    process.env.HF_ENDPOINT = endpoint;
  }

  remove(): void {
    for (const [name, value] of this.#before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** A file that begins as a GGUF file does; each seed has another. */
export function someFile(size: number, seed = 1): Buffer {
  const random = new Random(seed);
  const file = Buffer.alloc(size);
  for (let i = 0; i + 4 <= size; i += 4) file.writeUInt32LE(random.below(2 ** 32), i);
  file.write("GGUF", "latin1");
  return file;
}
