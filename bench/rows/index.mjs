// What is compared. A measurement is
//
//   { name, model, reference, a, b, figures: [{ name, key, title, unit, wanted }] }
//
// `a` (the reference, if there is one) and `b` (cria) each run once and resolve to their repetitions'
// figures: a list, or, where there is more than one figure, an object with a list for each `key`.
// `both` instead of the two measures them together, and resolves to { a, b }. Each figure is a row.
// README.md says in words what they are.

import { batchFiles } from "./batch.mjs";
import { costs } from "./cost.mjs";
import { cpuLevels } from "./cpu-level.mjs";
import { embeddings } from "./embedding.mjs";
import { batches, decodes, prefills } from "./generation.mjs";
import { latencies } from "./latency.mjs";
import { moderatedChats } from "./moderated-chat.mjs";
import { moderations } from "./moderation.mjs";
import { peers } from "./peers.mjs";
import { serving } from "./serving.mjs";
import { speculations } from "./speculation.mjs";

export const measurements = [
  ...decodes,
  ...prefills,
  ...batches,
  ...cpuLevels,
  ...serving,
  ...speculations,
  ...batchFiles,
  ...embeddings,
  ...moderations,
  ...costs,
  ...latencies,
  ...moderatedChats,
].map(complete);

/** Only with `--peers`. */
export const peerMeasurements = peers.map(complete);

/** A measurement of one figure may give it without a list. */
function complete(measurement) {
  const { name, title, unit, wanted, figures, ...rest } = measurement;
  return { ...rest, name, figures: figures ?? [{ name, key: "figure", title, unit, wanted }] };
}
