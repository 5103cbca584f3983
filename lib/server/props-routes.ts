import { engineInfo } from "../model/devices.js";
import { promptToString } from "../model/prompt.js";
import { newSeed } from "./answer-head.js";
import { readChatRequest } from "./chat-route.js";
import type { Exchange } from "./exchange.js";
import type { HostedModel } from "./hosted-model.js";
import { HttpError } from "./http-errors.js";
import type { ServedHost } from "./served-host.js";

/** GET /props: what llama-server tells of a model, as far as it is loaded. `?model=` names another than the first. */
export function answerProps(exchange: Exchange, host: ServedHost): void {
  const hosted = modelOf(exchange, host);
  const { name, settings, loaded, admission } = hosted;
  const { bos, eos } = loaded?.model.specialTokens ?? { bos: null, eos: null };
  const textOf = (id: number | null) =>
    id === null ? "" : (loaded?.model.detokenize([id], { special: true }) ?? "");
  exchange.sendJson({
    default_generation_settings: { n_ctx: contextSizeOf(hosted) },
    total_slots: admission.together,
    model_alias: name,
    // Where it lies is none of the client's business.
    model_path: name,
    chat_template: settings.chatTemplate ?? loaded?.model.chatTemplate ?? "",
    bos_token: textOf(bos),
    eos_token: textOf(eos),
    modalities: {
      vision: loaded?.model.media.image ?? false,
      audio: loaded?.model.media.audio ?? false,
    },
    build_info: `cria, llama.cpp ${engineInfo().llamaCpp}`,
    is_sleeping: loaded === undefined,
  });
}

/** GET /slots: how many generations run at a time, and which of these places are taken. */
export function answerSlots(exchange: Exchange, host: ServedHost): void {
  const hosted = modelOf(exchange, host);
  const { together, running } = hosted.admission;
  if (exchange.query.get("fail_on_no_slot") !== null && running >= together) {
    throw new HttpError(503, "no_slot_available", "All slots are taken", {
      headers: { "retry-after": "1" },
    });
  }
  const n_ctx = contextSizeOf(hosted);
  exchange.sendJson(
    Array.from({ length: together }, (_, id) => ({ id, n_ctx, is_processing: id < running })),
  );
}

/** POST /apply-template: the prompt that a chat becomes. */
export async function answerTemplate(exchange: Exchange, host: ServedHost): Promise<void> {
  const { plan, hosted } = await readChatRequest(exchange, host);
  const { signal } = exchange;
  await hosted.use(1, signal, async ({ maker, model }) => {
    const { prompt } = await maker.chat(plan, newSeed(), signal);
    exchange.sendJson({ prompt: promptToString(prompt, model) });
  });
}

function modelOf({ query }: Exchange, host: ServedHost): HostedModel {
  return host.named(query.get("model"));
}

/** Of its generations; 0 where there is none yet. */
function contextSizeOf({ settings, loaded }: HostedModel): number {
  if ("context" in settings.source) return settings.source.context.contextSize;
  return loaded?.contexts.get("generation")?.contextSize ?? 0;
}
