// cria's own HTTP server with a row's settings, in a process of its own:
//
//   node bench/served.mjs '{"model":"…","settings":{…},"sequences":16,"contextSize":1280}'   → its URL, and it serves
import { once } from "node:events";
import { createServer } from "../dist/server.js";

const { model, settings, sequences, contextSize } = JSON.parse(process.argv[2]);
const { threads, flashAttention, kvCacheType, kvCache, batchSize, microBatchSize } = settings;
const context = {
  ...{ contextSize, sequences, threads, batchThreads: threads },
  ...{ flashAttention, kvCacheType, kvCache, batchSize, microBatchSize },
};
const server = createServer({ models: { model: { model, context } }, queue: 1024 });
await server.prepare();
server.listen(0, "127.0.0.1");
await once(server, "listening");
console.log(`http://127.0.0.1:${server.address().port}`);
