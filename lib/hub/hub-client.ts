import { setTimeout as delay } from "node:timers/promises";
import { abortReason, throwIfAborted, watchSignal } from "../internal/abort.js";
import { CriaError, messageOf, show } from "../internal/errors.js";
import { coded, failed, Setback, shownUrl } from "./download-failures.js";

/** How patient a download is, and in how many pieces it comes. Tests have another one. */
export interface Conduct {
  /** How often in a row something may fail without a byte gained. */
  readonly tries: number;
  /** Milliseconds before the second try; each further one waits twice as long, up to `retryMaxMs`. */
  readonly retryMs: number;
  readonly retryMaxMs: number;
  /** A server that asks to be left alone for longer than this is taken at its word: the download fails. */
  readonly retryAfterMaxMs: number;
  /** Milliseconds without a byte after which a connection counts as lost. */
  readonly stallMs: number;
  /** Bytes after which what came is made safe: as much is fetched twice at most after a kill. */
  readonly blockBytes: number;
  /** Bytes of one request. */
  readonly chunkBytes: number;
  readonly connections: number;
}

export const CONDUCT: Conduct = {
  tries: 6,
  ...{ retryMs: 500, retryMaxMs: 20_000, retryAfterMaxMs: 300_000 },
  stallMs: 60_000,
  ...{ blockBytes: 16 * 2 ** 20, chunkBytes: 64 * 2 ** 20 },
  connections: 4,
};

/** What the hub says of a file where it redirects to the storage. */
export interface LinkedFacts {
  readonly etag: string | null;
  readonly size: string | null;
}

export interface Answer {
  readonly response: Response;
  readonly linked: LinkedFacts;
  /** The body, piece by piece. To be ended or returned from, else the connection stays open. */
  body(): AsyncGenerator<Uint8Array, void>;
  /** For an answer whose body nobody wants. */
  close(): Promise<void>;
}

export interface ClientParts {
  /** Sent to `tokenOrigin` alone. */
  readonly token: string | undefined;
  readonly tokenOrigin: string;
  readonly signal: AbortSignal | undefined;
  readonly conduct: Conduct;
}

const REDIRECTS = [301, 302, 303, 307, 308];
const HOPS_MAX = 10;
const JSON_MAX = 32 * 2 ** 20;
/** Of another kind than a line that is down: the next try would meet them again. */
const LASTING =
  /^(?:UND_ERR_HEADERS_OVERFLOW|HPE_|CERT_|ERR_TLS|ERR_SSL|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO)/;
const UNREACHABLE = ["ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ENETUNREACH", "EHOSTUNREACH"];

/**
 * Asks servers over HTTP: follows redirects itself, so that a token goes to no other host, and knows which
 * failures pass.
 */
export class HubClient {
  readonly conduct: Conduct;
  readonly signal: AbortSignal | undefined;
  readonly #parts: ClientParts;

  constructor(parts: ClientParts) {
    this.#parts = parts;
    this.conduct = parts.conduct;
    this.signal = parts.signal;
  }

  /** The same with another signal. */
  with(signal: AbortSignal): HubClient {
    return new HubClient({ ...this.#parts, signal });
  }

  /**
   * One try.
   *
   * @param range first byte and the one behind the last
   * @throws {Setback} what may pass; {CriaError} what will not; the signal's reason
   */
  async open(url: URL, range?: readonly [number, number]): Promise<Answer> {
    const { signal } = this;
    throwIfAborted(signal);
    const line = new Line(this.conduct.stallMs, signal);
    try {
      const { response, linked } = await line.during(() => this.#follow(url, range, line.signal));
      const answer: Answer = {
        ...{ response, linked },
        body: () => line.read(response, url),
        close: async () => {
          line.close();
          await response.body?.cancel().catch(() => {});
        },
      };
      if (response.ok) return answer;
      await answer.close();
      throw refusal(response, url);
    } catch (error) {
      line.close();
      throw line.failure(error, url);
    }
  }

  /**
   * Runs `work` until it succeeds. What it gains is counted by `gained`: a try that brought something on
   * starts the patience anew.
   */
  async persist<T>(work: () => Promise<T>, gained?: () => number): Promise<T> {
    const { tries, retryMs, retryMaxMs, retryAfterMaxMs } = this.conduct;
    for (let failures = 0; ; ) {
      const before = gained?.() ?? 0;
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof Setback)) throw error;
        failures = (gained?.() ?? 0) > before ? 1 : failures + 1;
        const { afterMs } = error;
        // In the midst of a file the line may come back; before it, nobody wants to wait for what is not there.
        const isHopeless = gained === undefined && error.error.details?.unreachable === true;
        if (failures >= (isHopeless ? 2 : tries) || (afterMs ?? 0) > retryAfterMaxMs)
          throw error.error;
        await this.#wait(afterMs ?? Math.min(retryMaxMs, retryMs * 2 ** (failures - 1)));
      }
    }
  }

  /**
   * A JSON document, with the address of the next page where there is one.
   *
   * @throws {CriaError} ERR_DOWNLOAD_FAILED, ERR_DOWNLOAD_DENIED, ERR_MODEL_NOT_FOUND; the signal's reason
   */
  json(url: URL): Promise<{ readonly value: unknown; readonly next: URL | undefined }> {
    return this.persist(async () => {
      const answer = await this.open(url);
      const pieces: Uint8Array[] = [];
      let length = 0;
      for await (const piece of answer.body()) {
        pieces.push(piece);
        length += piece.length;
        if (length > JSON_MAX) {
          throw failed(`${shownUrl(url)} answers with more than ${JSON_MAX} bytes`, where(url));
        }
      }
      const text = Buffer.concat(pieces).toString("utf8");
      try {
        return { value: JSON.parse(text) as unknown, next: nextPage(answer.response, url) };
      } catch (error) {
        throw failed(
          `${shownUrl(url)} does not answer as a hub does: expected JSON, got ${show(text)}`,
          where(url),
          error,
        );
      }
    });
  }

  async #follow(url: URL, range: readonly [number, number] | undefined, signal: AbortSignal) {
    const { token, tokenOrigin } = this.#parts;
    let at = url;
    let trusted = true;
    let linked: LinkedFacts = { etag: null, size: null };
    for (let hops = 0; hops <= HOPS_MAX; hops++) {
      const headers: Record<string, string> = { "accept-encoding": "identity" };
      if (range !== undefined) headers.range = `bytes=${range[0]}-${range[1] - 1}`;
      if (token !== undefined && trusted && at.origin === tokenOrigin) {
        headers.authorization = `Bearer ${token}`;
      }
      const response = await fetch(at, { redirect: "manual", headers, signal });
      if (trusted) {
        linked = {
          etag: linked.etag ?? response.headers.get("x-linked-etag"),
          size: linked.size ?? response.headers.get("x-linked-size"),
        };
      }
      if (!REDIRECTS.includes(response.status)) return { response, linked };
      const location = response.headers.get("location") ?? "";
      await response.body?.cancel();
      const next = URL.canParse(location, at.href) ? new URL(location, at) : undefined;
      const safe = next?.protocol === "https:" || (next?.protocol === "http:" && isHttp(at));
      if (next === undefined || !safe) {
        throw failed(`${shownUrl(at)} redirects to ${show(location)}, which is refused`, where(at));
      }
      trusted &&= next.origin === at.origin;
      at = next;
    }
    throw failed(`${shownUrl(url)} redirects more than ${HOPS_MAX} times`, where(url));
  }

  async #wait(milliseconds: number): Promise<void> {
    const { signal } = this;
    const options = signal instanceof AbortSignal ? { signal } : {};
    await delay(milliseconds, undefined, options).catch(() => {});
    throwIfAborted(signal);
  }
}

/** One connection: ended by the caller's signal, or when nothing comes for too long. */
class Line {
  readonly #controller = new AbortController();
  readonly #stallMs: number;
  readonly #signal: AbortSignal | undefined;
  readonly #unwatch: () => void;
  #stalled = false;

  constructor(stallMs: number, signal: AbortSignal | undefined) {
    this.#stallMs = stallMs;
    this.#signal = signal;
    this.#unwatch = signal ? watchSignal(signal, () => this.#controller.abort()) : () => {};
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** The time that the caller takes for itself in between does not count. */
  async during<T>(wait: () => Promise<T>): Promise<T> {
    const timer = setTimeout(() => {
      this.#stalled = true;
      this.#controller.abort();
    }, this.#stallMs);
    try {
      return await wait();
    } finally {
      clearTimeout(timer);
    }
  }

  async *read(response: Response, url: URL): AsyncGenerator<Uint8Array, void> {
    const reader = response.body?.getReader();
    let ended = reader === undefined;
    try {
      while (!ended) {
        const step = await this.during(async () => reader?.read());
        ended = step?.done ?? true;
        if (step?.value !== undefined) yield step.value;
      }
    } catch (error) {
      throw this.failure(error, url);
    } finally {
      this.close();
      if (!ended) await reader?.cancel().catch(() => {});
    }
  }

  close(): void {
    this.#unwatch();
  }

  failure(error: unknown, url: URL): unknown {
    if (this.#signal?.aborted) return abortReason(this.#signal);
    if (this.#stalled) {
      return new Setback(
        failed(`${url.host} sent nothing for ${this.#stallMs / 1000} seconds`, where(url)),
      );
    }
    if (CriaError.is(error) || error instanceof Setback) return error;
    const { code, message } = reasonOf(error);
    const unreachable = UNREACHABLE.includes(code);
    const told = failed(
      `The connection to ${url.host} failed: ${message}`,
      { ...where(url), ...(unreachable && { unreachable }) },
      error,
    );
    return LASTING.test(code) ? told : new Setback(told);
  }
}

/** `fetch` throws a TypeError whose cause tells what happened. */
function reasonOf(error: unknown): { code: string; message: string } {
  const { cause } = (error ?? {}) as { cause?: unknown };
  const { code } = (cause ?? error ?? {}) as { code?: unknown };
  return {
    code: typeof code === "string" ? code : "",
    message: messageOf(cause ?? error).slice(0, 200),
  };
}

function isHttp({ protocol }: URL): boolean {
  return protocol === "http:";
}

function where(url: URL): Record<string, unknown> {
  return { url: shownUrl(url) };
}

/** What a status other than 2xx means. */
function refusal(response: Response, url: URL): CriaError | Setback {
  const { status, headers } = response;
  const details = { ...where(url), status };
  const said = (headers.get("x-error-message") ?? "").replaceAll(/[^\x20-\x7e]/g, " ");
  const why = said.trim() === "" ? "" : `: ${said.trim().slice(0, 300)}`;
  const at = shownUrl(url);
  if (status === 401 || status === 403) {
    return coded(
      "ERR_DOWNLOAD_DENIED",
      `${at} may not be read (${status})${why}. It is private, gated or not there: accept its terms on its ` +
        "page, and give a token that may read it, as the option `token` or as HF_TOKEN",
      details,
    );
  }
  if (status === 404 || status === 410) {
    return coded(
      "ERR_MODEL_NOT_FOUND",
      `There is nothing at ${at} (${status})${why}. Check the names in the reference, and its revision`,
      details,
    );
  }
  const told = failed(`${at} answers ${status}${why}`, details);
  const passes = status === 408 || status === 425 || status === 429 || status >= 500;
  return passes ? new Setback(told, retryAfter(headers)) : told;
}

/** Seconds or a date. */
function retryAfter(headers: Headers): number | undefined {
  const text = headers.get("retry-after")?.trim() ?? "";
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000;
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now());
}

/** A list that goes on says where. A mirror may name the hub itself there, so only the query is taken. */
function nextPage({ headers }: Response, url: URL): URL | undefined {
  const [, link] = /<([^<>]{1,2048})>\s*;\s*rel="?next"?/.exec(headers.get("link") ?? "") ?? [];
  if (link === undefined || !URL.canParse(link, url.href)) return undefined;
  const next = new URL(url);
  next.search = new URL(link, url).search;
  return next.href === url.href ? undefined : next;
}
