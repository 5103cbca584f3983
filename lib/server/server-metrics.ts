import type { GenerationUsage } from "../generation/generation.js";
import type { HostedModel } from "./hosted-model.js";

/** What the server has done, as Prometheus reads it. */
export class ServerMetrics {
  readonly #requests = new Map<string, { count: number; seconds: number }>();
  readonly #tokens = new Map<string, Record<keyof GenerationUsage, number>>();

  /** @param status 499 where the client went before the answer */
  countRequest(route: string, status: number, milliseconds: number): void {
    const key = labels({ route, status: String(status) });
    const sum = this.#requests.get(key) ?? { count: 0, seconds: 0 };
    sum.count += 1;
    sum.seconds += milliseconds / 1000;
    this.#requests.set(key, sum);
  }

  countTokens(model: string, usage: GenerationUsage): void {
    const sum = this.#tokens.get(model) ?? {
      promptTokens: 0,
      cachedTokens: 0,
      completionTokens: 0,
    };
    sum.promptTokens += usage.promptTokens;
    sum.cachedTokens += usage.cachedTokens;
    sum.completionTokens += usage.completionTokens;
    this.#tokens.set(model, sum);
  }

  text(models: readonly HostedModel[]): string {
    const requests = [...this.#requests];
    const tokens = [...this.#tokens].map(([model, sum]) => [labels({ model }), sum] as const);
    const hosted = models.map((model) => [labels({ model: model.name }), model] as const);
    const contexts = models.flatMap((model) =>
      [...(model.loaded?.contexts ?? [])].flatMap(([purpose, context]) =>
        context.disposed
          ? []
          : [[labels({ model: model.name, context: purpose }), context.stats] as const],
      ),
    );
    return [
      metric(
        "cria_requests_total",
        "counter",
        "Requests that were answered, by route and status.",
        requests.map(([key, { count }]) => [key, count]),
      ),
      metric(
        "cria_request_seconds_total",
        "counter",
        "Seconds that answering them took.",
        requests.map(([key, { seconds }]) => [key, seconds]),
      ),
      metric(
        "cria_prompt_tokens_total",
        "counter",
        "Tokens of prompts.",
        tokens.map(([key, { promptTokens }]) => [key, promptTokens]),
      ),
      metric(
        "cria_cached_tokens_total",
        "counter",
        "Tokens of prompts that were not evaluated again.",
        tokens.map(([key, { cachedTokens }]) => [key, cachedTokens]),
      ),
      metric(
        "cria_completion_tokens_total",
        "counter",
        "Tokens that were generated.",
        tokens.map(([key, { completionTokens }]) => [key, completionTokens]),
      ),
      metric(
        "cria_generations_running",
        "gauge",
        "Generations that run.",
        hosted.map(([key, { admission }]) => [key, admission.running]),
      ),
      metric(
        "cria_generations_waiting",
        "gauge",
        "Generations that wait for their turn.",
        hosted.map(([key, { admission }]) => [key, admission.waiting]),
      ),
      metric(
        "cria_model_loaded",
        "gauge",
        "Whether the model is loaded.",
        hosted.map(([key, { loaded }]) => [key, loaded === undefined ? 0 : 1]),
      ),
      metric(
        "cria_kv_cache_tokens",
        "gauge",
        "Tokens in the KV cache.",
        contexts.map(([key, { cachedTokens }]) => [key, cachedTokens]),
      ),
      metric(
        "cria_evaluated_tokens",
        "gauge",
        "Tokens evaluated since the context was made.",
        contexts.map(([key, { decodedTokens }]) => [key, decodedTokens]),
      ),
      metric(
        "cria_batches",
        "gauge",
        "Calls into the engine since the context was made.",
        contexts.map(([key, { batches }]) => [key, batches]),
      ),
    ].join("");
  }
}

function metric(
  name: string,
  type: "counter" | "gauge",
  help: string,
  values: readonly (readonly [labels: string, value: number])[],
): string {
  const lines = values.map(([key, value]) => `${name}${key} ${value}\n`);
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join("")}`;
}

function labels(values: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(values).map(([name, value]) => {
    const escaped = value.replace(/[\\"]/g, "\\$&").replaceAll("\n", "\\n");
    return `${name}="${escaped}"`;
  });
  return `{${pairs.join(",")}}`;
}
