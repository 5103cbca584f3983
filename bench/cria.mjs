// The cria side of one measurement, in a process of its own:
//
//   node bench/cria.mjs '{"work":"generate","model":"…","settings":{…},…}'   → one line of JSON

import { batch, batchPrompts } from "./works/batch.mjs";
import { perToken, residentSet } from "./works/binding.mjs";
import { embed } from "./works/embedding.mjs";
import { continuation, generate, serve, vocabulary } from "./works/generation.mjs";
import { abortPrefill, gaps, generatingDelay, loadingDelay } from "./works/latency.mjs";
import { moderatedChat } from "./works/moderated-chat.mjs";
import { moderate } from "./works/moderation.mjs";
import { edit, extract } from "./works/speculation.mjs";

const works = {
  "abort-prefill": abortPrefill,
  batch,
  "batch-prompts": batchPrompts,
  continuation,
  edit,
  extract,
  embed,
  gaps,
  generate,
  "generating-delay": generatingDelay,
  "loading-delay": loadingDelay,
  "moderated-chat": moderatedChat,
  moderate,
  "per-token": perToken,
  "resident-set": residentSet,
  serve,
  vocabulary,
};
const work = JSON.parse(process.argv[2]);
console.log(JSON.stringify(await works[work.work](work)));
