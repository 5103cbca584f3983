import { readFile } from "node:fs/promises";
import { extname, join } from "node:path";
import { packageRoot } from "../internal/engine-files.js";

/** A file of the chat page, with the headers that it is served with. */
export interface PageFile {
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html",
  ".css": "text/css",
  ".js": "text/javascript",
  ".svg": "image/svg+xml",
};

/**
 * Nothing from elsewhere, nothing inline, no HTML from texts, no frames, no forms that lead away. Pictures are the
 * page's own or the user's, who has dropped them.
 */
const POLICY = [
  ...["default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'"],
  ...["img-src 'self' data:", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"],
  ...["require-trusted-types-for 'script'", "trusted-types 'none'"],
].join("; ");

const HEADERS: Readonly<Record<string, string>> = {
  "content-security-policy": POLICY,
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "permissions-policy": "camera=(), geolocation=(), microphone=()",
  // So that a newer cria is seen at once.
  "cache-control": "no-cache",
};

/** What there is. No other path is looked for, so that none leads out of the folder. */
const NAMES: ReadonlySet<string> = new Set([
  ...["index.html", "main.js", "chat-page.js", "theme.js", "style.css", "icon.svg"],
]);

const PREFIX = "/page/";
const read = new Map<string, Promise<string>>();

/** The folder of the built page, beside the built library. */
function pageFolder(): string {
  // In a bundle of ES modules there is none.
  return join(packageRoot(typeof __filename === "string" ? __filename : ""), "dist", "page");
}

function fileName(path: string): string | undefined {
  const name =
    path === "/" ? "index.html" : path.startsWith(PREFIX) ? path.slice(PREFIX.length) : "";
  return NAMES.has(name) && path !== `${PREFIX}index.html` ? name : undefined;
}

/** Whether a URL's path is one of the chat page's. */
export function isPagePath(path: string): boolean {
  return fileName(path) !== undefined;
}

/**
 * A file of the chat page, for those who serve it themselves: "/" is the page, all else of it is below "/page/". Its
 * "/page/main.js" talks to a server of cria's; in its place another one may give `startPage` of "/page/chat-page.js"
 * another transport, as the desktop example does. Undefined for any other path.
 *
 * @example
 * const file = await pageFile(new URL(request.url).pathname);
 * return file ? new Response(file.body, file) : new Response("Not found", { status: 404 });
 * @throws where the package's files are not there
 */
export async function pageFile(path: string): Promise<PageFile | undefined> {
  const name = fileName(path);
  if (name === undefined) return undefined;
  const reading = read.get(name) ?? readFile(join(pageFolder(), name), "utf8");
  read.set(name, reading);
  reading.catch(() => read.delete(name));
  const body = await reading;
  const type = `${TYPES[extname(name)]}; charset=utf-8`;
  return { body, headers: { "content-type": type, ...HEADERS } };
}
