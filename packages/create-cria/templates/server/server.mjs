// npm start, then npm run ask -- "What is a baby llama called?", or any client of OpenAI's API with the base
// URL http://127.0.0.1:8080/v1.
//
//   MODEL=/path/to/model.gguf   a model of yours
//   API_KEYS=one,another        one of them has to come with each request
//   HOST=0.0.0.0 PORT=8080      open to the network: put keys and a reverse proxy with TLS in front

import { once } from "node:events";
import { createRequire } from "node:module";
import path from "node:path";
import { createServer } from "cria/server";

const criaPackage = createRequire(import.meta.url).resolve("cria/package.json");
/** The package's own model: tiny, for a first try. */
const DEMO = path.join(path.dirname(criaPackage), "models", "cria-demo.gguf");
const { MODEL = DEMO, API_KEYS = "", HOST = "127.0.0.1", PORT = "8080" } = process.env;

const server = createServer({
  models: {
    assistant: {
      model: MODEL,
      context: { contextSize: 2048, sequences: 4 },
      maxTokens: 1024,
      sampling: { temperature: 0 }, // unless a request says otherwise
    },
  },
  apiKeys: API_KEYS.split(",").filter(Boolean),
  onRequest: ({ method, path, status, milliseconds }) =>
    console.log(method, path, status, `${Math.round(milliseconds)} ms`),
});

server.listen(Number(PORT), HOST);
await once(server, "listening");
console.log(`listening on http://${HOST}:${server.address().port}`);

// Answers that are under way end first; a second signal ends them, too.
for (const signal of ["SIGINT", "SIGTERM"]) {
  process.on(signal, () => {
    if (server.listening) server.close();
    else server.closeAllConnections();
  });
}
