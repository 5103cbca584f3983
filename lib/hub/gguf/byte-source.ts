import { type FileHandle, open } from "node:fs/promises";
import { CriaError, messageOf, show } from "../../internal/errors.js";
import { failed, Setback, shownUrl } from "../download-failures.js";
import { probe, type RemoteFile } from "../fetch-file.js";
import type { HubClient } from "../hub-client.js";

/** A file's bytes, wherever they are. */
export interface ByteSource {
  /** What it is called in messages. */
  readonly shown: string;
  /** Of the whole file. */
  readonly size: number;
  /** Exactly these bytes, which the file has. */
  read(from: number, length: number): Promise<Buffer>;
  close(): Promise<void>;
}

export class FileSource implements ByteSource {
  readonly shown: string;
  readonly size: number;
  readonly #file: FileHandle;

  /** @throws {CriaError} ERR_MODEL_NOT_FOUND */
  static async open(path: string): Promise<FileSource> {
    try {
      const file = await open(path, "r");
      const found = await file.stat();
      if (found.isFile()) return new FileSource(path, file, found.size);
      await file.close();
      throw new Error("it is not a regular file");
    } catch (error) {
      const missing = ["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "");
      throw new CriaError(
        "ERR_MODEL_NOT_FOUND",
        `Expected a readable GGUF file at ${show(path)}: ${missing ? "there is no such file" : messageOf(error)}`,
        { details: { path }, cause: error },
      );
    }
  }

  private constructor(path: string, file: FileHandle, size: number) {
    this.shown = path;
    this.#file = file;
    this.size = size;
  }

  async read(from: number, length: number): Promise<Buffer> {
    const bytes = Buffer.alloc(length);
    let done = 0;
    while (done < length) {
      const { bytesRead } = await this.#file.read(bytes, done, length - done, from + done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    return bytes.subarray(0, done);
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

/** A file of a server's, of which only what is asked for is fetched. */
export class RemoteSource implements ByteSource {
  readonly shown: string;
  readonly size: number;
  readonly #client: HubClient;
  readonly #file: RemoteFile;

  /** @throws {CriaError} ERR_UNSUPPORTED where the server knows no ranges; as `probe` */
  static async open(client: HubClient, url: URL): Promise<RemoteSource> {
    const file = await probe(client, url);
    if (file.ranges) return new RemoteSource(client, file);
    throw new CriaError(
      "ERR_UNSUPPORTED",
      `${shownUrl(url)} cannot be asked for parts of the file: fetch it with \`downloadModel\`, and look at it here`,
      { details: { url: shownUrl(url) } },
    );
  }

  private constructor(client: HubClient, file: RemoteFile) {
    this.#client = client;
    this.#file = file;
    this.shown = shownUrl(file.url);
    this.size = file.size;
  }

  read(from: number, length: number): Promise<Buffer> {
    const { url } = this.#file;
    return this.#client.persist(async () => {
      const answer = await this.#client.open(url, [from, from + length]);
      const [, start] =
        /^bytes (\d+)-/i.exec(answer.response.headers.get("content-range") ?? "") ?? [];
      const told = failed(`${this.shown} does not send the part that it was asked for`, {
        url: this.shown,
      });
      if (Number(start) !== from) {
        await answer.close();
        throw new Setback(told);
      }
      const pieces: Uint8Array[] = [];
      let got = 0;
      for await (const piece of answer.body()) {
        pieces.push(piece);
        got += piece.length;
        if (got > length) throw told;
      }
      if (got < length) throw new Setback(told);
      return Buffer.concat(pieces);
    });
  }

  async close(): Promise<void> {}
}
