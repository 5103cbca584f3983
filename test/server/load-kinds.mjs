// What the clients of serve-load.mjs do: each kind sends one request and tells what became of it, by a word that
// its program counts. What should not be is thrown.
import http from "node:http";
import net from "node:net";

/** Repeatable: Marsaglia's xorshift32, as of test/support/random.ts. */
export class Random {
  #state;

  constructor(seed) {
    this.#state = seed;
  }

  below(limit) {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    return (this.#state >>> 0) % limit;
  }

  pick(items) {
    return items[this.below(items.length)];
  }
}

const messages = [{ role: "user", content: "What is a baby llama called?" }];
const BODIES = {
  "/v1/chat/completions": {
    messages,
    max_tokens: 4,
    temperature: 0,
    stop: ["x"],
    n: 1,
    stream: true,
  },
  "/v1/completions": {
    prompt: "Hi",
    max_tokens: 4,
    logprobs: 0,
    seed: 3,
    stream: false,
    echo: true,
  },
  "/v1/responses": { input: "Hi", max_output_tokens: 4, stream: true },
  "/v1/embeddings": { input: ["Hi"], encoding_format: "float" },
  "/v1/moderations": { input: "Hi" },
  "/v1/batches": {
    ...{ input_file_id: "file-x", endpoint: "/v1/completions", completion_window: "24h" },
    metadata: { a: "b" },
  },
  "/rerank": { query: "Hi", documents: ["x"], top_n: 1 },
  "/tokenize": { content: "Hi", with_pieces: true },
  "/detokenize": { tokens: [1, 2] },
};
const PATHS = [
  "/v1/files",
  "/v1/files/x",
  "/v1/files/../x/content",
  "/v1/models/%ff",
  "/metrics",
  "/",
  "/x",
];
const ANYTHING = [
  null,
  true,
  -1,
  1e99,
  "",
  "\ud800",
  "x".repeat(3000),
  [],
  {},
  [[[]]],
  { type: "x" },
  "\u0000",
];
const LIMITS = ["max_tokens", "max_output_tokens", "n"];

/** A body that is nearly right: fields that are something else, are missing, or came from elsewhere. */
function nearly(random, body) {
  const own = structuredClone(body);
  for (let changes = random.below(4); changes > 0; changes--) {
    const key = random.pick(
      Object.keys(own)
        .filter((one) => !LIMITS.includes(one))
        .concat("foreign"),
    );
    if (random.below(3) === 0) delete own[key];
    else own[key] = random.pick(ANYTHING);
  }
  return own;
}

/** The same with bytes that are others, or cut off. */
function broken(random, text) {
  const bytes = Buffer.from(text);
  for (let changes = 1 + random.below(3); changes > 0; changes--) {
    if (bytes.length > 0) bytes[random.below(bytes.length)] = random.below(256);
  }
  return random.below(2) === 0 ? bytes : bytes.subarray(0, random.below(bytes.length + 1));
}

/**
 * Sends, and resolves with the status and the text. A connection that was kept open may be closed by the server in
 * the moment in which it is used again: then nothing was read of the request, and it is sent once more.
 */
async function ask(server, how) {
  for (;;) {
    try {
      return await askOnce(server, how);
    } catch (error) {
      if (error.reused !== true) throw error;
    }
  }
}

function askOnce({ port, agent }, { path, method = "POST", headers = {}, body = "" }) {
  return new Promise((resolve, reject) => {
    const request = http.request(
      { port, host: "127.0.0.1", path, method, agent, headers },
      (answer) => {
        const pieces = [];
        answer.on("data", (piece) => pieces.push(piece));
        answer.on("end", () =>
          resolve({ status: answer.statusCode, text: Buffer.concat(pieces).toString() }),
        );
        answer.on("error", reject);
      },
    );
    request.on("error", (error) => {
      reject(Object.assign(error, { reused: request.reusedSocket && error.code === "ECONNRESET" }));
    });
    request.end(body);
  });
}

/** An answer is whole, or an error of OpenAI's shape that is the client's to mend, or asks to come later. */
function judge({ status, text }, what) {
  if (status === 200) {
    if (text.startsWith("data: ") && !text.endsWith("data: [DONE]\n\n")) {
      const last = text.trim().split("\n\n").at(-1) ?? "";
      if (!last.includes('"error"') && !last.includes("response."))
        throw new Error(`${what}: cut off`);
    }
    return "200";
  }
  if (![400, 404, 405, 413, 415, 429].includes(status))
    throw new Error(`${what}: ${status} ${text}`);
  const { error } = JSON.parse(text);
  if (typeof error.message !== "string" || typeof error.type !== "string")
    throw new Error(`${what}: ${text}`);
  return String(status);
}

const json = { "content-type": "application/json" };

export const KINDS = {
  /** As a client should. */
  async right(server, random) {
    const body = { messages, max_tokens: 1 + random.below(24), stream: random.below(2) === 0 };
    const answer = await ask(server, {
      ...{ path: "/v1/chat/completions", headers: json, body: JSON.stringify(body) },
    });
    const word = judge(answer, "right");
    if (word !== "200" && word !== "429") throw new Error(`right: ${answer.text}`);
    return word;
  },

  async fuzzed(server, random) {
    const path = random.pick(Object.keys(BODIES));
    const text = JSON.stringify(nearly(random, BODIES[path]));
    const body = random.below(3) === 0 ? broken(random, text) : text;
    return judge(await ask(server, { path, headers: json, body }), `${path} ${body}`);
  },

  async odd(server, random) {
    const path = random.pick([...PATHS, ...Object.keys(BODIES)]);
    const method = random.pick(["GET", "PUT", "DELETE", "POST", "OPTIONS"]);
    const headers = random.pick([{}, { "content-encoding": "gzip" }, { accept: "x".repeat(4000) }]);
    const answer = await ask(server, { path, method, headers });
    return method === "OPTIONS" && answer.status === 204
      ? "204"
      : judge(answer, `${method} ${path}`);
  },

  async form(server, random) {
    const part = (name, body) =>
      `--x\r\ncontent-disposition: form-data; ${name}\r\n\r\n${body}\r\n`;
    const parts = [part('name="file"; filename="f"', "y".repeat(random.below(4000)))];
    parts.push(part('name="purpose"', random.pick(["batch", "assistants"])), "--x--");
    const text = parts.join("");
    const body = random.below(2) === 0 ? text : broken(random, text);
    const headers = { "content-type": "multipart/form-data; boundary=x" };
    const answer = await ask(server, { path: "/v1/files", headers, body });
    if (answer.status !== 200) return judge(answer, "form");
    const { id } = JSON.parse(answer.text);
    return judge(await ask(server, { path: `/v1/files/${id}`, method: "DELETE" }), "deletion");
  },

  /** More than the server takes: told so, or cut off where it was still being sent. */
  async oversized(server, random) {
    const body = Buffer.alloc(server.maxBody + 1 + random.below(1000), 0x20);
    const path = random.pick(["/v1/chat/completions", "/tokenize"]);
    const headers = random.below(2) === 0 ? json : { ...json, "transfer-encoding": "chunked" };
    try {
      const answer = await ask({ ...server, agent: false }, { path, headers, body });
      if (answer.status !== 413) throw new Error(`oversized: ${answer.status}`);
      return "413";
    } catch (error) {
      if (error.code === "ECONNRESET" || error.code === "EPIPE") return "reset";
      throw error;
    }
  },

  /** No HTTP at all. */
  malformed({ port }, random) {
    return new Promise((resolve) => {
      const socket = net.connect(port, "127.0.0.1");
      let said = "";
      socket.on("data", (piece) => {
        said += piece;
      });
      socket.on("error", () => {});
      socket.on("close", () => resolve(said.startsWith("HTTP/1.1 4") ? "refused" : "closed"));
      const bytes = Buffer.from(
        Array.from({ length: 1 + random.below(300) }, () => random.below(256)),
      );
      socket.end(
        Buffer.concat([Buffer.from(random.pick(["", "GET ", "POST / HTTP/1.1\r\n"])), bytes]),
      );
    });
  },

  /** Goes at any moment: while it sends, while it waits, while it reads. */
  gone({ port }, random) {
    return new Promise((resolve) => {
      const body = JSON.stringify({ messages, stream: true, grammar: "root ::= [a-z] root" });
      const headers = { ...json, "content-length": body.length };
      const options = { port, host: "127.0.0.1", path: "/v1/chat/completions", method: "POST" };
      const request = http.request({ ...options, agent: false, headers });
      request.on("error", () => {});
      request.on("close", () => resolve("gone"));
      const cut = random.below(4);
      if (cut === 0) {
        request.write(body.slice(0, random.below(body.length)));
      } else {
        request.end(body);
      }
      const pieces = random.below(6);
      let seen = 0;
      request.on("response", (answer) => {
        answer.on("error", () => {});
        answer.on("data", () => {
          if (++seen > pieces) request.destroy();
        });
      });
      if (cut < 2) setTimeout(() => request.destroy(), random.below(60));
    });
  },

  /** Reads a long stream with pauses, to its end. */
  slow({ port }, random) {
    return new Promise((resolve, reject) => {
      const body = JSON.stringify({
        messages,
        stream: true,
        max_tokens: 60,
        logprobs: true,
        top_logprobs: 20,
      });
      const options = { port, host: "127.0.0.1", path: "/v1/chat/completions", method: "POST" };
      const request = http.request({ ...options, agent: false, headers: json }, (answer) => {
        let end = "";
        answer.on("data", (piece) => {
          end = (end + piece).slice(-200);
          answer.pause();
          setTimeout(() => answer.resume(), random.below(15));
        });
        answer.on("error", reject);
        answer.on("end", () => {
          const { statusCode: status } = answer;
          if (status === 429) resolve("429");
          else if (status === 200 && end.endsWith("data: [DONE]\n\n")) resolve("200");
          else reject(new Error(`slow: ${status} ${end}`));
        });
      });
      request.on("error", reject);
      request.end(body);
    });
  },
};
