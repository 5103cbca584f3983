import { abortReason, watchSignal } from "../internal/abort.js";
import { type ByteRange, cut } from "./byte-ranges.js";
import { coded, failed, Setback, shownUrl } from "./download-failures.js";
import type { Answer, HubClient } from "./hub-client.js";
import { checkSize, type PartialFile } from "./partial-file.js";

/** A file at the other end, as it was when it was first asked for. */
export interface RemoteFile {
  readonly url: URL;
  readonly size: number;
  /** The server's ETag or date of it; undefined where it has neither. */
  readonly version: string | undefined;
  /** Whether parts of it may be asked for. */
  readonly ranges: boolean;
  /** What the hub says its content is, where it says it. */
  readonly linkedEtag: string | undefined;
}

/** What is gathered before it is written. */
const GATHERED = 2 ** 20;

/**
 * Asks for the first byte, which tells all there is to know; HEAD is refused by signed links.
 *
 * @throws {CriaError} ERR_DOWNLOAD_FAILED, ERR_DOWNLOAD_DENIED, ERR_MODEL_NOT_FOUND; the signal's reason
 */
export function probe(client: HubClient, url: URL): Promise<RemoteFile> {
  return client.persist(async () => {
    const answer = await client.open(url, [0, 1]);
    await answer.close();
    const { headers, status } = answer.response;
    const ranges = status === 206;
    const told = ranges ? contentRange(answer, url).size : headers.get("content-length");
    const { etag, size } = answer.linked;
    const length = checkSize(Number(told ?? Number.NaN), shownUrl(url));
    if (size !== null && Number(size) !== length) throw otherLength(url, Number(size), length);
    return {
      ...{ url, ranges, size: length },
      version: versionOf(headers),
      linkedEtag: bare(etag ?? "") || undefined,
    };
  });
}

export function otherLength(url: URL, expected: number, got: number): Error {
  return failed(
    `${shownUrl(url)} has ${got} bytes where the hub lists ${expected}: ask again, or another mirror`,
    { url: shownUrl(url), expected, got },
  );
}

/**
 * Fetches what is missing, over several connections at once. What came before a failure stays.
 *
 * @param onBytes called with what each write has added
 * @throws {CriaError} ERR_DOWNLOAD_FAILED, ERR_DOWNLOAD_CHANGED, ERR_DOWNLOAD_DENIED, ERR_DISK_FULL; the signal's
 * reason; what `onBytes` threw
 */
export async function fetchFile(
  client: HubClient,
  file: RemoteFile,
  partial: PartialFile,
  onBytes: (count: number) => void,
): Promise<void> {
  const { chunkBytes, connections, blockBytes } = client.conduct;
  // A small file is shared among the connections, too, but for pieces that are not worth a request.
  const share = Math.max(blockBytes, Math.ceil(file.size / connections));
  const queue = file.ranges ? cut(partial.gaps(), Math.min(chunkBytes, share)) : [];
  if (!file.ranges && partial.gaps().length > 0) queue.push([0, file.size]);
  const stop = new AbortController();
  const unwatch = follow(client.signal, stop);
  const own = client.with(stop.signal);
  const failures: unknown[] = [];
  const work = async () => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      await new RangeFetch(own, file, partial, onBytes).run(next);
    }
  };
  await Promise.all(
    Array.from({ length: file.ranges ? connections : 1 }, () =>
      work().catch((error) => {
        failures.push(error);
        stop.abort(error);
      }),
    ),
  );
  unwatch();
  if (failures.length > 0) throw failures[0];
}

function follow(signal: AbortSignal | undefined, stop: AbortController): () => void {
  if (signal === undefined) return () => {};
  if (signal.aborted) stop.abort(abortReason(signal));
  return watchSignal(signal, () => stop.abort(abortReason(signal)));
}

/** One range, from where the last try ended. */
class RangeFetch {
  readonly #client: HubClient;
  readonly #file: RemoteFile;
  readonly #partial: PartialFile;
  readonly #onBytes: (count: number) => void;
  #at = 0;
  #gained = 0;

  constructor(
    client: HubClient,
    file: RemoteFile,
    partial: PartialFile,
    onBytes: (count: number) => void,
  ) {
    this.#client = client;
    this.#file = file;
    this.#partial = partial;
    this.#onBytes = onBytes;
  }

  async run([from, to]: ByteRange): Promise<void> {
    this.#at = from;
    await this.#client.persist(
      async () => {
        if (this.#at < to) await this.#try(to);
      },
      () => this.#gained,
    );
  }

  async #try(to: number): Promise<void> {
    const { url, ranges, size } = this.#file;
    const answer = await this.#client.open(url, ranges ? [this.#at, to] : undefined);
    try {
      this.#check(answer);
    } catch (error) {
      await answer.close();
      throw error;
    }
    // Without ranges all comes again, and what is there already is let pass.
    let at = ranges ? this.#at : 0;
    const end = ranges ? to : size;
    let gathered: Uint8Array[] = [];
    let length = 0;
    const flush = async () => {
      if (length === 0) return;
      const bytes = gathered.length === 1 ? (gathered[0] as Uint8Array) : Buffer.concat(gathered);
      const from = at - length;
      [gathered, length] = [[], 0];
      await this.#keep(bytes, from);
    };
    try {
      for await (const piece of answer.body()) {
        const wanted = piece.subarray(0, end - at);
        gathered.push(wanted);
        length += wanted.length;
        at += wanted.length;
        if (length >= GATHERED) await flush();
        if (wanted.length < piece.length) throw this.#wrong("sends more than it was asked for");
      }
    } finally {
      await flush();
    }
    if (at < end) throw new Setback(this.#wrong(`ends ${end - at} bytes too early`));
  }

  /** What was there already is not written again. */
  async #keep(bytes: Uint8Array, from: number): Promise<void> {
    const known = Math.max(0, Math.min(bytes.length, this.#at - from));
    const news = bytes.subarray(known);
    if (news.length === 0) return;
    const before = this.#partial.bytes;
    await this.#partial.write(news, from + known);
    this.#at = from + bytes.length;
    this.#gained += news.length;
    this.#onBytes(this.#partial.bytes - before);
  }

  #check(answer: Answer): void {
    const { url, ranges, size, version, linkedEtag } = this.#file;
    const { response, linked } = answer;
    const now = versionOf(response.headers);
    // Storage behind a hub may have several copies with ETags of their own: there the hub's word counts.
    const other =
      linkedEtag === undefined && version !== undefined && now !== undefined && now !== version;
    const moved =
      linkedEtag !== undefined && linked.etag !== null && bare(linked.etag) !== linkedEtag;
    const part = response.status === 206 ? contentRange(answer, url) : undefined;
    const told = Number(part?.size ?? response.headers.get("content-length") ?? size);
    if (other || moved || told !== size) {
      throw coded(
        "ERR_DOWNLOAD_CHANGED",
        `The file at ${shownUrl(url)} changed while it was fetched: ask again for the new one`,
        { url: shownUrl(url), ...(told !== size && { expected: size, got: told }) },
      );
    }
    if (response.headers.get("content-encoding") !== null) {
      throw this.#wrong("sends the file compressed, which it was not asked for");
    }
    if (!ranges) return;
    // A server that gives parts may have others behind it that do not.
    if (part === undefined)
      throw new Setback(this.#wrong("does not send the part that it was asked for"));
    if (part.from !== this.#at) {
      throw new Setback(this.#wrong(`sends bytes from ${part.from} instead of ${this.#at}`));
    }
  }

  #wrong(what: string) {
    const { url } = this.#file;
    return failed(`${shownUrl(url)} ${what}`, { url: shownUrl(url) });
  }
}

function contentRange({ response }: Answer, url: URL): { from: number; size: number } {
  const text = response.headers.get("content-range") ?? "";
  const [, from, size] = /^bytes (\d{1,15})-\d{1,15}\/(\d{1,15})$/i.exec(text.trim()) ?? [];
  if (size !== undefined) return { from: Number(from), size: Number(size) };
  throw new Setback(
    failed(`${shownUrl(url)} sends a part and does not say which one`, { url: shownUrl(url) }),
  );
}

/** An empty header tells nothing. */
function versionOf(headers: Headers): string | undefined {
  return headers.get("etag") || headers.get("last-modified") || undefined;
}

/** Without the marks around it. */
function bare(etag: string): string {
  return etag.replace(/^W\//, "").replaceAll('"', "");
}
