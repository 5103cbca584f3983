// Against a hub on this machine that misbehaves in every way that one can.
import { existsSync, lstatSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { downloadWith } from "../../lib/hub/download-model.js";
import type { Conduct } from "../../lib/hub/hub-client.js";
import { type DownloadModelOptions, downloadModel } from "../../lib/index.js";
import { HASTY, HubFolder, someFile } from "../support/hub-folder.js";
import { COMMIT, HubServer, REPOSITORY, sha256 } from "../support/hub-server.js";
import { Random } from "../support/random.js";

jest.mock("node:fs/promises", () => ({ ...jest.requireActual("node:fs/promises") }));

/** The one that lib has, so that its functions can be made to fail. */
const fsPromises: typeof import("node:fs/promises") = jest.requireMock("node:fs/promises");

const NAME = "tiny-Q4_K_M.gguf";
const REFERENCE = `hf:${REPOSITORY}/${NAME}`;
const SIZE = 500_000;

let hub: HubServer;
let folder: HubFolder;
let file: Buffer;

beforeAll(async () => {
  hub = await HubServer.start();
});
afterAll(() => hub.stop());
beforeEach(() => {
  hub.reset();
  folder = new HubFolder(hub.endpoint);
  file = someFile(SIZE);
  hub.files.set(NAME, file);
});
afterEach(() => {
  jest.restoreAllMocks();
  folder.remove();
});

function download(
  reference = REFERENCE,
  options?: DownloadModelOptions,
  conduct: Partial<Conduct> = {},
): Promise<string> {
  return downloadWith({ ...HASTY, ...conduct }, reference, options);
}

function repositoryFolder(...names: string[]): string {
  return join(folder.path, "hub", "models--cria--tiny-GGUF", ...names);
}

function ranges(): string[] {
  return hub.asked.flatMap(({ host, range }) => (host === "storage" && range ? [range] : []));
}

const failure = (code: string, message: RegExp | string = "") =>
  expect.objectContaining({ code, message: expect.stringMatching(message) });

describe("the cache", () => {
  test("lies as Hugging Face's libraries have it, and is asked before the network", async () => {
    const path = await download();
    expect(path).toBe(repositoryFolder("snapshots", COMMIT, NAME));
    expect(readFileSync(path).equals(file)).toBe(true);
    expect(lstatSync(path).isSymbolicLink()).toBe(true);
    expect(await fsPromises.readlink(path)).toBe(join("..", "..", "blobs", sha256(file)));
    expect(readFileSync(repositoryFolder("refs", "main"), "utf8")).toBe(COMMIT);
    expect(readdirSync(repositoryFolder("blobs"))).toEqual([sha256(file)]);
    const { sent } = hub;
    expect(await download()).toBe(path);
    expect(hub.sent).toBe(sent);
    hub.asked.length = 0;
    expect(await download(`hf:${REPOSITORY}@${COMMIT}/${NAME}`)).toBe(path);
    process.env.HF_HUB_OFFLINE = "1";
    expect(await download()).toBe(path);
    expect(await download(`hf:${REPOSITORY}:q4_k_m`)).toBe(path);
    expect(hub.asked).toEqual([]);
    await expect(download("hf:cria/other:Q8_0")).rejects.toEqual(
      failure("ERR_DOWNLOAD_FAILED", "HF_HUB_OFFLINE"),
    );
  });

  test("serves where the hub cannot be reached", async () => {
    const path = await download();
    const gone = await HubServer.start();
    process.env.HF_ENDPOINT = gone.endpoint;
    gone.stop();
    expect(await download()).toBe(path);
    await expect(download("hf:cria/other:Q8_0")).rejects.toEqual(failure("ERR_DOWNLOAD_FAILED"));
  });

  test("keeps one copy of what two revisions share, and knows what another library fetched", async () => {
    const first = await download();
    hub.commit = "d".repeat(40);
    const { sent } = hub;
    const second = await download();
    expect(second).toBe(repositoryFolder("snapshots", hub.commit, NAME));
    expect(second).not.toBe(first);
    expect(hub.sent).toBe(sent);
    expect(readFileSync(repositoryFolder("refs", "main"), "utf8")).toBe(hub.commit);
  });

  test("takes a file of another commit for another one, also where nothing is told of it", async () => {
    hub.listed = (list) => list.map(({ path, size }) => ({ type: "file", path, size }));
    hub.onRequest = ({ host, range }, response) => {
      const whole = hub.files.get(NAME) as Buffer;
      const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(range ?? "") ?? [];
      if (host !== "hub" || from === undefined) return false;
      const bytes = whole.subarray(Number(from), Number(to) + 1);
      const at = `bytes ${from}-${Number(from) + bytes.length - 1}/${whole.length}`;
      response.writeHead(206, { "content-length": bytes.length, "content-range": at }).end(bytes);
      return true;
    };
    expect(readFileSync(await download()).equals(file)).toBe(true);
    hub.commit = "d".repeat(40);
    hub.files.set(NAME, someFile(SIZE, 2));
    expect(readFileSync(await download()).equals(hub.files.get(NAME) as Buffer)).toBe(true);
  });

  test.each([
    ["with hard links", ["symlink"]],
    ["without any links", ["symlink", "link"]],
  ] as const)("works %s", async (_, refused) => {
    for (const name of refused) {
      jest
        .spyOn(fsPromises, name)
        .mockRejectedValue(Object.assign(new Error("no"), { code: "EPERM" }));
    }
    const path = await download();
    expect(lstatSync(path).isFile()).toBe(true);
    expect(readFileSync(path).equals(file)).toBe(true);
    const { sent } = hub;
    expect(await download()).toBe(path);
    expect(hub.sent).toBe(sent);
  });

  test("does not fetch again what could only not be moved", async () => {
    const { rename } = fsPromises;
    const held = jest.spyOn(fsPromises, "rename").mockImplementation(async (from, to) => {
      // As Windows does while a process has the old file mapped.
      if (String(to).endsWith(sha256(file)))
        throw Object.assign(new Error("no"), { code: "EBUSY" });
      return rename(from, to);
    });
    await expect(download()).rejects.toEqual(failure("ERR_DOWNLOAD_FAILED"));
    held.mockRestore();
    hub.asked.length = 0;
    expect(readFileSync(await download()).equals(file)).toBe(true);
    expect(ranges()).toEqual(["bytes=0-0"]); // which asks whether it is the same
    expect(readdirSync(repositoryFolder("blobs"))).toEqual([sha256(file)]);
  });

  test("works where links are made that lead nowhere", async () => {
    // wine's says that it made one.
    jest.spyOn(fsPromises, "symlink").mockResolvedValue(undefined);
    const path = await download();
    expect(lstatSync(path).isFile()).toBe(true);
    expect(readFileSync(path).equals(file)).toBe(true);
  });

  test("a directory has files under their own names, and is no place to overwrite others' files", async () => {
    const directory = join(folder.path, "models");
    const path = await download(REFERENCE, { directory });
    expect(path).toBe(join(directory, NAME));
    expect(readFileSync(path).equals(file)).toBe(true);
    const { sent } = hub;
    expect(await download(REFERENCE, { directory })).toBe(path);
    expect(hub.sent).toBe(sent);
    // A new version takes the place of the one that was fetched.
    hub.files.set(NAME, someFile(SIZE, 2));
    await download(REFERENCE, { directory });
    expect(readFileSync(path).equals(hub.files.get(NAME) as Buffer)).toBe(true);
    writeFileSync(path, "my own notes");
    await expect(download(REFERENCE, { directory })).rejects.toEqual(
      failure("ERR_DOWNLOAD_FAILED", "another file"),
    );
    expect(readFileSync(path, "utf8")).toBe("my own notes");
    // The same content, however it got there, is taken as it is.
    writeFileSync(path, hub.files.get(NAME) as Buffer);
    hub.sent = 0;
    await download(REFERENCE, { directory });
    expect(hub.sent).toBe(0);
  });
});

describe("a file of any other server", () => {
  const url = () => `${hub.storage}/${encodeURIComponent(NAME)}?key=secret`;

  test("is kept by its URL and version", async () => {
    const path = await download(url());
    expect(path.startsWith(join(folder.path, "cria", "urls"))).toBe(true);
    expect(path.endsWith(NAME)).toBe(true);
    expect(readFileSync(path).equals(file)).toBe(true);
    const { sent } = hub;
    expect(await download(url())).toBe(path);
    expect(hub.sent - sent).toBeLessThan(10);
    hub.files.set(NAME, someFile(SIZE, 2));
    expect(await download(url())).not.toBe(path);
    process.env.HF_HUB_OFFLINE = "1";
    expect(readFileSync(await download(url())).equals(hub.files.get(NAME) as Buffer)).toBe(true);
  });

  test.each([[{}], [{ etag: "", "last-modified": "" }]])(
    "whose server tells no version is fetched anew: %j",
    async (headers) => {
      hub.onFile = ({ asked, file: whole, from, to, response }) => {
        const part = asked.range !== undefined;
        response.writeHead(part ? 206 : 200, {
          ...headers,
          "content-length": String(to - from),
          ...(part && { "content-range": `bytes ${from}-${to - 1}/${whole.length}` }),
        });
        response.end(whole.subarray(from, to));
      };
      await download(url());
      const other = someFile(SIZE, 2);
      hub.files.set(NAME, other);
      expect(readFileSync(await download(url())).equals(other)).toBe(true);
      const directory = join(folder.path, "models");
      await download(url(), { directory });
      hub.files.set(NAME, file);
      expect(readFileSync(await download(url(), { directory })).equals(file)).toBe(true);
    },
  );

  test("is a GGUF file, or nothing of it stays", async () => {
    hub.files.set(NAME, Buffer.from("<html>Sign in</html>"));
    await expect(download(url())).rejects.toEqual(failure("ERR_DOWNLOAD_DAMAGED", '"<htm"'));
    const left = readdirSync(join(folder.path, "cria"), { recursive: true, withFileTypes: true });
    expect(left.filter((entry) => entry.isFile())).toEqual([]);
  });

  test("of the hub itself is in the hub's cache", async () => {
    const path = await download(`${hub.endpoint}/${REPOSITORY}/resolve/main/${NAME}?download=true`);
    expect(path).toBe(repositoryFolder("snapshots", COMMIT, NAME));
  });

  test("that ignores ranges comes in one piece, also after a cut", async () => {
    let cuts = 2;
    hub.onFile = (exchange) => {
      const whole = {
        ...exchange,
        from: 0,
        to: SIZE,
        asked: { ...exchange.asked, range: undefined },
      };
      if (cuts-- > 0) return hub.cut(whole, 200_000);
      exchange.response.writeHead(200, { "content-length": SIZE });
      exchange.response.end(file);
    };
    expect(readFileSync(await download(url())).equals(file)).toBe(true);
  });
});

describe("cuts", () => {
  test("fifty at random places give one valid file, no byte fetched twice beyond a block", async () => {
    const random = new Random(18);
    let cuts = 0;
    hub.onFile = (exchange) => {
      const { from, to } = exchange;
      if (cuts >= 50 || to - from < 2) return exchange.answer();
      cuts += 1;
      hub.cut(exchange, 1 + random.below(Math.min(to - from - 1, 20_000)));
    };
    const path = await download();
    expect(cuts).toBe(50);
    expect(readFileSync(path).equals(file)).toBe(true);
    expect(hub.sent - SIZE).toBeLessThan(50 * HASTY.blockBytes);
    // What arrived was kept: each next range begins where the last one broke off, not at its beginning.
    const starts = ranges().map((range) => Number(/=(\d+)-/.exec(range)?.[1]));
    expect(new Set(starts).size).toBeGreaterThan(45);
  });

  test("an abort leaves what came, and the next download goes on there", async () => {
    const controller = new AbortController();
    const reason = new Error("enough");
    const options = {
      signal: controller.signal,
      onProgress: ({ receivedBytes }: { receivedBytes: number }) => {
        if (receivedBytes > SIZE / 2) controller.abort(reason);
      },
    };
    await expect(download(REFERENCE, options)).rejects.toBe(reason);
    const seen: number[] = [];
    hub.sent = 0;
    const path = await download(REFERENCE, {
      onProgress: ({ receivedBytes, totalBytes }) => {
        expect(totalBytes).toBe(SIZE);
        seen.push(receivedBytes);
      },
    });
    expect(readFileSync(path).equals(file)).toBe(true);
    expect(seen[0]).toBeGreaterThan(SIZE / 2);
    expect(seen.at(-1)).toBe(SIZE);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    expect(hub.sent).toBeLessThan(SIZE / 2 + 10);
  });

  test("a note that is damaged, or of another file, is not believed", async () => {
    const controller = new AbortController();
    const onProgress = () => controller.abort();
    for (const text of ["{", '{"size": 1}', '{"received": [[5, 1]]}']) {
      const controller = new AbortController();
      const options = { signal: controller.signal, onProgress: () => controller.abort() };
      await expect(download(REFERENCE, options)).rejects.toThrow();
      writeFileSync(repositoryFolder("blobs", `${sha256(file)}.cria-part.json`), text);
    }
    await expect(download(REFERENCE, { signal: controller.signal, onProgress })).rejects.toThrow();
    expect(readFileSync(await download()).equals(file)).toBe(true);
  });

  test("what a callback throws ends the download, and comes back as it is", async () => {
    const thrown = { mine: true };
    const onProgress = () => {
      throw thrown;
    };
    await expect(download(REFERENCE, { onProgress })).rejects.toBe(thrown);
  });
});

describe("a server that fails", () => {
  test.each([500, 502, 503, 429, 408])(
    "with %i is asked again, and given up after a while",
    async (status) => {
      let failures = 2;
      hub.onRequest = (_, response) => {
        if (failures-- <= 0) return false;
        response.writeHead(status, { "retry-after": "0" }).end();
        return true;
      };
      expect(readFileSync(await download()).equals(file)).toBe(true);
      failures = Number.POSITIVE_INFINITY;
      hub.asked.length = 0;
      await expect(download()).rejects.toEqual(failure("ERR_DOWNLOAD_FAILED", String(status)));
      expect(hub.asked.length).toBe(HASTY.tries);
    },
  );

  test("waits as long as Retry-After says, unless that is too long", async () => {
    const times: number[] = [];
    hub.onRequest = (_, response) => {
      times.push(performance.now());
      if (times.length > 1) return false;
      response.writeHead(429, { "retry-after": "1" }).end();
      return true;
    };
    await download();
    expect((times[1] as number) - (times[0] as number)).toBeGreaterThan(990);
    hub.onRequest = (_, response) => {
      response.writeHead(429, { "retry-after": "3600" }).end();
      return true;
    };
    hub.asked.length = 0;
    await expect(download()).rejects.toEqual(failure("ERR_DOWNLOAD_FAILED", "429"));
    expect(hub.asked.length).toBe(1);
  });

  test.each([
    [401, "ERR_DOWNLOAD_DENIED", "HF_TOKEN"],
    [403, "ERR_DOWNLOAD_DENIED", "gated"],
    [404, "ERR_MODEL_NOT_FOUND", "Check the names"],
    [418, "ERR_DOWNLOAD_FAILED", "418"],
  ])("with %i is not asked again", async (status, code, message) => {
    hub.onRequest = (_, response) => {
      response.writeHead(status, { "x-error-message": "no \u00e9 luck" }).end();
      return true;
    };
    await expect(download()).rejects.toEqual(failure(code, message));
    expect(hub.asked.length).toBe(1);
  });

  test("while the storage does", async () => {
    let failures = 0;
    hub.onFile = (exchange) => {
      if (exchange.from % 3 !== 0 || failures++ > 2) return exchange.answer();
      exchange.response.writeHead(503).end();
    };
    expect(readFileSync(await download()).equals(file)).toBe(true);
  });

  test("by sending nothing any more", async () => {
    let silent = true;
    hub.onFile = (exchange) => {
      if (!silent || exchange.to - exchange.from < 2) return exchange.answer();
      silent = false;
      exchange.response.writeHead(206, {
        "content-range": `bytes ${exchange.from}-${exchange.to - 1}/${SIZE}`,
        "content-length": exchange.to - exchange.from,
      });
      exchange.response.write(file.subarray(exchange.from, exchange.from + 100));
    };
    const path = await download(REFERENCE, undefined, { stallMs: 200 });
    expect(readFileSync(path).equals(file)).toBe(true);
  });

  test("but trickles", async () => {
    file = file.subarray(0, 40);
    hub.files.set(NAME, file);
    hub.onFile = ({ response, from, to }) => {
      response.writeHead(206, {
        "content-range": `bytes ${from}-${to - 1}/40`,
        "content-length": to - from,
      });
      let at = from;
      const drip = () => {
        if (at === to) return void response.end();
        response.write(file.subarray(at, ++at), () => setTimeout(drip, 10));
      };
      drip();
    };
    const path = await download(REFERENCE, undefined, { stallMs: 250 });
    expect(readFileSync(path).equals(file)).toBe(true);
  });

  test("with a gigantic header", async () => {
    hub.onRequest = (_, response) => {
      response.writeHead(200, { "x-big": "x".repeat(1_000_000) }).end("{}");
      return true;
    };
    await expect(download()).rejects.toEqual(failure("ERR_DOWNLOAD_FAILED"));
    expect(hub.asked.length).toBe(1);
  });

  test.each(["no JSON", "[]", '{"sha": "../.."}', '{"sha": 5}'])("answering %s", async (text) => {
    hub.onRequest = (_, response) => {
      response.end(text);
      return true;
    };
    await expect(download()).rejects.toEqual(failure("ERR_DOWNLOAD_FAILED", "hub"));
  });
});

describe("a file that is not what it should be", () => {
  test.each(["a wrong length in the list", "a shorter answer", "no length", "another part"])(
    "by %s",
    async (what) => {
      if (what === "a wrong length in the list") {
        hub.listed = (list) =>
          list.map((entry) => ({ ...entry, lfs: { oid: sha256(file), size: 5 } }));
      }
      hub.onFile = (exchange) => {
        const { response, from, to } = exchange;
        if (what === "a shorter answer" && to - from > 1) {
          response.writeHead(206, {
            "content-range": `bytes ${from}-${to - 1}/${SIZE}`,
            "content-length": 0,
          });
          return void response.end();
        }
        if (what === "no length") return void response.writeHead(206).end("x");
        if (what !== "another part" || to - from < 2) return exchange.answer();
        exchange.answer({ "content-range": `bytes ${from + 1}-${to}/${SIZE}` });
      };
      await expect(download()).rejects.toEqual(failure("ERR_DOWNLOAD_FAILED", "127.0.0.1"));
      expect(existsSync(repositoryFolder("snapshots", COMMIT, NAME))).toBe(false);
    },
  );

  test("by its checksum is deleted, and fetched anew", async () => {
    let wrong = true;
    hub.onFile = (exchange) => {
      const { response, from, to } = exchange;
      if (!wrong || from > SIZE / 2 || to - from < 2) return exchange.answer();
      const bytes = Buffer.from(file.subarray(from, to));
      bytes[bytes.length - 1] = (bytes.at(-1) as number) ^ 1;
      response.writeHead(206, {
        "content-range": `bytes ${from}-${to - 1}/${SIZE}`,
        "content-length": to - from,
      });
      response.end(bytes);
    };
    await expect(download()).rejects.toEqual(failure("ERR_DOWNLOAD_DAMAGED", sha256(file)));
    expect(readdirSync(repositoryFolder("blobs"))).toEqual([]);
    wrong = false;
    expect(readFileSync(await download()).equals(file)).toBe(true);
  });

  test("since it changed in the midst of the download", async () => {
    const url = `${hub.storage}/${NAME}`;
    const other = someFile(SIZE, 7);
    hub.onFile = (exchange) => {
      if (exchange.from > SIZE / 2) hub.files.set(NAME, other);
      exchange.answer();
    };
    await expect(download(url, undefined, { connections: 1 })).rejects.toEqual(
      failure("ERR_DOWNLOAD_CHANGED", "changed while it was fetched"),
    );
    const path = await download(url);
    expect(readFileSync(path).equals(other)).toBe(true);
    // Nothing is left of the first try.
    expect(readdirSync(join(path, "..", ".."))).toHaveLength(1);
  });

  test("since the disk is full; what came is gone on with", async () => {
    const open = fsPromises.open;
    let room = SIZE / 2;
    jest.spyOn(fsPromises, "open").mockImplementation(async (...args) => {
      const handle = await open(...args);
      if (!String(args[0]).endsWith(".cria-part")) return handle;
      const write = handle.write.bind(handle) as (...all: unknown[]) => Promise<never>;
      handle.write = (async (bytes: Buffer, offset: number, length: number, at: number) => {
        room -= length;
        if (room > 0) return write(bytes, offset, length, at);
        throw Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC" });
      }) as never;
      return handle;
    });
    await expect(download()).rejects.toEqual(failure("ERR_DISK_FULL", "stays"));
    room = Number.POSITIVE_INFINITY;
    hub.sent = 0;
    expect(readFileSync(await download()).equals(file)).toBe(true);
    expect(hub.sent).toBeLessThan(SIZE);
    expect(hub.sent).toBeGreaterThan(0);
  });

  test("since there is no room for it from the start", async () => {
    jest
      .spyOn(fsPromises, "statfs")
      .mockResolvedValue({ bsize: 512, blocks: 9, bavail: 9 } as never);
    await expect(download()).rejects.toEqual(failure("ERR_DISK_FULL", String(9 * 512)));
    expect(hub.sent).toBeLessThan(10);
  });
});

describe("tokens", () => {
  const sentTo = (host: string) =>
    new Set(hub.asked.filter((asked) => asked.host === host).map((asked) => asked.authorization));

  test.each([
    ["an option", () => download(REFERENCE, { token: "hf_secret" })],
    ["HF_TOKEN", () => withEnv("HF_TOKEN", "hf_secret")],
    ["HF_HOME/token", () => withFile(join(folder.path, "token"))],
  ])("by %s go to the hub, and never to the host that it redirects to", async (_, ask) => {
    await ask();
    expect(sentTo("hub")).toEqual(new Set(["Bearer hf_secret"]));
    expect(sentTo("storage")).toEqual(new Set([undefined]));
  });

  test("of the hub go to no other server, but one that is given with its URL does", async () => {
    process.env.HF_TOKEN = "hf_secret";
    await download(`${hub.storage}/${NAME}`);
    expect(sentTo("storage")).toEqual(new Set([undefined]));
    await download(`${hub.storage}/${NAME}`, { token: "own" });
    expect(sentTo("storage")).toContain("Bearer own");
  });

  test("do not come back with a redirect back", async () => {
    hub.onRequest = ({ path, host }, response) => {
      const to = host === "hub" ? `${hub.storage}/back` : `${hub.endpoint}/back`;
      if (host === "hub" && path === "/back") return false;
      response.writeHead(302, { location: to }).end();
      return true;
    };
    await expect(download(REFERENCE, { token: "hf_secret" })).rejects.toEqual(
      failure("ERR_MODEL_NOT_FOUND"),
    );
    expect(hub.asked.map(({ authorization }) => authorization)).toEqual([
      ...["Bearer hf_secret", undefined, undefined],
    ]);
  });

  test.each(["a b", "x\r\ny: z", ""])("such as %j are refused, and not shown", async (token) => {
    const error = await download(REFERENCE, { token }).catch((error) => error);
    expect(error).toEqual(failure("ERR_INVALID_ARGUMENT", "options.token"));
    expect(hub.asked).toEqual([]);
    if (token !== "") expect(String(error)).not.toContain(token);
  });

  function withEnv(name: string, value: string) {
    process.env[name] = value;
    return download();
  }

  function withFile(path: string) {
    writeFileSync(path, "hf_secret\n");
    return download();
  }
});

test("redirects that go round, or to what is no web address, are refused", async () => {
  hub.onRequest = ({ path }, response) => {
    response.writeHead(302, { location: path }).end();
    return true;
  };
  await expect(download()).rejects.toEqual(failure("ERR_DOWNLOAD_FAILED", "more than 10 times"));
  hub.onRequest = (_, response) => {
    response.writeHead(302, { location: "file:///etc/passwd" }).end();
    return true;
  };
  await expect(download()).rejects.toEqual(failure("ERR_DOWNLOAD_FAILED", "refused"));
});

describe("split models", () => {
  const part = (n: number) => `Q8_0/tiny-Q8_0-0000${n}-of-00003.gguf`;
  beforeEach(() => {
    for (const n of [1, 2, 3]) hub.files.set(part(n), someFile(50_000, n));
  });

  test.each([`hf:${REPOSITORY}:Q8_0`, `hf:${REPOSITORY}/${part(2)}`])(
    "%s is all parts",
    async (reference) => {
      const totals = new Set<number>();
      const path = await download(reference, {
        onProgress: ({ totalBytes }) => totals.add(totalBytes),
      });
      expect(path).toBe(repositoryFolder("snapshots", COMMIT, ...part(1).split("/")));
      for (const n of [1, 2, 3]) {
        const there = readFileSync(repositoryFolder("snapshots", COMMIT, ...part(n).split("/")));
        expect(there.equals(hub.files.get(part(n)) as Buffer)).toBe(true);
      }
      expect(totals).toEqual(new Set([150_000]));
    },
  );

  test("by a URL lie side by side", async () => {
    const path = await download(`${hub.storage}/${part(3)}`);
    expect(readdirSync(join(path, "..")).sort()).toEqual(
      [1, 2, 3].map((n) => part(n).slice("Q8_0/".length)),
    );
    expect(path).toMatch(/-00001-of-00003\.gguf$/);
  });

  test("by a URL are asked for one after the other, and not by the hundred thousand", async () => {
    await expect(download(`${hub.storage}/m-00001-of-99999.gguf`)).rejects.toEqual(
      failure("ERR_MODEL_INVALID", "at most 1000 parts"),
    );
    expect(hub.asked).toEqual([]);
    await expect(download(`${hub.storage}/m-00001-of-00900.gguf`)).rejects.toEqual(
      failure("ERR_MODEL_NOT_FOUND"),
    );
    expect(hub.asked).toHaveLength(1);
  });

  test("that lack one are not found", async () => {
    hub.files.delete(part(2));
    await expect(download(`hf:${REPOSITORY}/${part(1)}`)).rejects.toEqual(
      failure("ERR_MODEL_NOT_FOUND", "00002-of-00003"),
    );
  });
});

test("names that lead elsewhere write nothing", async () => {
  for (const path of ["../../evil.gguf", "/etc/evil.gguf", "a\\..\\evil.gguf", "C:evil.gguf"]) {
    hub.listed = (list) => [...list, { type: "file", path, size: 5, lfs: { oid: "0", size: 5 } }];
    await expect(download()).rejects.toEqual(failure("ERR_DOWNLOAD_FAILED", "leads elsewhere"));
  }
  expect(existsSync(join(folder.path, "hub"))).toBe(false);
});

test("two downloads at once are one", async () => {
  const paths = await Promise.all([download(), download(), download()]);
  expect(new Set(paths).size).toBe(1);
  expect(readFileSync(paths[0] as string).equals(file)).toBe(true);
  expect(hub.sent).toBeLessThan(SIZE + 10);
  expect(readdirSync(repositoryFolder("blobs"))).toEqual([sha256(file)]);
});

test("a lock that a dead process left is taken away", async () => {
  const blobs = repositoryFolder("blobs");
  await fsPromises.mkdir(blobs, { recursive: true });
  const { hostname } = await import("node:os");
  const lock = join(blobs, `${sha256(file)}.cria-part.lock`);
  writeFileSync(lock, JSON.stringify({ pid: 2 ** 22 + 1, host: hostname(), id: "x" }));
  expect(readFileSync(await download()).equals(file)).toBe(true);
  expect(existsSync(lock)).toBe(false);
});

test("a lock that cannot be read is told, not waited for", async () => {
  const lock = repositoryFolder("blobs", `${sha256(file)}.cria-part.lock`);
  await fsPromises.mkdir(lock, { recursive: true });
  await expect(download()).rejects.toEqual(failure("ERR_DOWNLOAD_FAILED", "lock"));
});

test("a lock that was left behind and cannot be taken away is told, too", async () => {
  const { hostname } = await import("node:os");
  const lock = repositoryFolder("blobs", `${sha256(file)}.cria-part.lock`);
  await fsPromises.mkdir(repositoryFolder("blobs"), { recursive: true });
  writeFileSync(lock, JSON.stringify({ pid: 2 ** 22 + 1, host: hostname(), id: "x" }));
  // As in a folder with the sticky bit, where it is another user's.
  jest
    .spyOn(fsPromises, "rename")
    .mockRejectedValue(Object.assign(new Error("no"), { code: "EPERM" }));
  await expect(download()).rejects.toEqual(failure("ERR_DOWNLOAD_FAILED", "delete it"));
  expect(existsSync(lock)).toBe(true);
});

test.each([
  ["endpoint", "ftp://x"],
  ["endpoint", 5],
  ["revision", "../x"],
  ["directory", ""],
  ["onProgress", 5],
  ["signal", {}],
])("option %s is checked: %j", async (name, value) => {
  await expect(downloadModel(REFERENCE, { [name]: value } as never)).rejects.toEqual(
    failure("ERR_INVALID_ARGUMENT", name),
  );
});

test("a path is returned as it is, and a misspelt option is told", async () => {
  expect(await downloadModel("models/x.gguf")).toBe("models/x.gguf");
  await expect(downloadModel(REFERENCE, { dir: "x" } as never)).rejects.toEqual(
    failure("ERR_INVALID_ARGUMENT", "directory"),
  );
});
