import { createHash, timingSafeEqual } from "node:crypto";
import { isIP } from "node:net";
import type { Exchange } from "./exchange.js";
import { HttpError } from "./http-errors.js";

/** Which pages of other origins may read answers: none, all, or those. */
export type AllowedOrigins = false | true | readonly string[];

const hashOfKey = (key: string) => createHash("sha256").update(key).digest();

/** Who may use the server. */
export class AccessRules {
  readonly #keys: readonly Buffer[];
  readonly #origins: AllowedOrigins;

  constructor(keys: readonly string[], origins: AllowedOrigins) {
    this.#keys = keys.map(hashOfKey);
    this.#origins = origins;
  }

  /** @throws {HttpError} 401 */
  checkKey(exchange: Exchange): void {
    if (this.#keys.length === 0) return;
    const [, bearer] = /^Bearer +(.+)$/i.exec(exchange.header("authorization") ?? "") ?? [];
    const key = bearer ?? exchange.header("x-api-key");
    if (key !== undefined && this.#knows(key)) return;
    const message =
      key === undefined
        ? "An API key is needed: send it as `Authorization: Bearer KEY`"
        : "The API key is none of this server's";
    throw new HttpError(401, "invalid_api_key", message, {
      headers: { "www-authenticate": "Bearer" },
    });
  }

  /** Takes the same time whatever the key is: all are compared, by their hashes. */
  #knows(key: string): boolean {
    const hash = hashOfKey(key);
    let known = false;
    for (const one of this.#keys) known = timingSafeEqual(one, hash) || known;
    return known;
  }

  /**
   * Refuses pages that were not allowed, also where they do not need to read the answer: else any site could
   * make a visitor's own server work. A page that the server itself has sent is one of its own origin.
   *
   * @throws {HttpError} 403
   */
  checkOrigin(exchange: Exchange): void {
    const origin = exchange.header("origin");
    if (origin === undefined) {
      this.#checkHost(exchange);
    } else if (this.#allows(origin)) {
      exchange.setHeaders({
        "access-control-allow-origin": this.#origins === true ? "*" : origin,
        "access-control-expose-headers": "retry-after",
        ...(this.#origins !== true && { vary: "origin" }),
      });
    } else if (!isOwnOrigin(origin, exchange.header("host"))) {
      throw new HttpError(
        403,
        "origin_not_allowed",
        "Pages of this origin may not use this server: its `cors` option says which ones may",
      );
    }
  }

  /**
   * A browser does not say where a page came from that reads what its own site has. Where a name was pointed here
   * afterwards, that site is this server: on loopback, where nobody else would use such a name, it is refused.
   */
  #checkHost(exchange: Exchange): void {
    const host = exchange.header("host");
    const guarded = this.#keys.length > 0 || this.#origins === true || !exchange.fromLoopback;
    if (guarded || host === undefined) return;
    const hostname = URL.canParse(`http://${host}`) ? new URL(`http://${host}`).hostname : "?";
    const listed = this.#origins === false ? [] : this.#origins;
    if (isOwnName(hostname) || listed.some((origin) => hostnameOf(origin) === hostname)) return;
    throw new HttpError(
      403,
      "host_not_allowed",
      "On loopback this server answers to addresses and to localhost: its `cors` option names others, as " +
        `http://${hostname}, and with \`apiKeys\` any name will do`,
    );
  }

  #allows(origin: string): boolean {
    return this.#origins === true || (this.#origins !== false && this.#origins.includes(origin));
  }
}

/** What a browser asks before it lets a page send JSON or a key. */
export function answerPreflight(exchange: Exchange): void {
  exchange.setHeaders({
    "access-control-allow-methods": "GET, POST, DELETE, OPTIONS",
    "access-control-allow-headers":
      exchange.header("access-control-request-headers") ?? "authorization, content-type",
    "access-control-max-age": "600",
  });
  exchange.sendNothing(204);
}

/**
 * Whether a page came from this server. Only by address or as localhost: any other name may have been pointed
 * here by its owner after the page was loaded (DNS rebinding).
 */
function isOwnOrigin(origin: string, host: string | undefined): boolean {
  if (host === undefined || !URL.canParse(origin)) return false;
  const { host: from, hostname } = new URL(origin);
  return from === host.toLowerCase() && isOwnName(hostname);
}

/** What nobody can point elsewhere. */
function isOwnName(hostname: string): boolean {
  const name = hostname.replace(/^\[|\]$/g, "");
  return isIP(name) !== 0 || name === "localhost" || name.endsWith(".localhost");
}

function hostnameOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).hostname : undefined;
}
