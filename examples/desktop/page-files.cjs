// What the page is made of, for the app's own scheme (main.cjs) and for a server (serve-page.mjs).

const fs = require("node:fs/promises");
const path = require("node:path");

const TYPES = {
  ".html": "text/html",
  ".css": "text/css",
  ".js": "text/javascript",
  ".svg": "image/svg+xml",
};

/** cria's client for pages is one file, and its name in the package's exports is of no use to a page. */
const client = path.join(path.dirname(require.resolve("cria/electron")), "electron-page.js");

/** Nothing from elsewhere, nothing inline, no frames, no forms that lead away. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

/** The file of a URL's path with its headers, or undefined. A name is a name: no path leads out of the folder. */
exports.pageFile = async (pathname) => {
  const name = pathname === "/" ? "index.html" : pathname.slice(1);
  if (!/^[a-z-]+\.(html|css|js|svg)$/.test(name)) return undefined;
  const file = name === "cria.js" ? client : path.join(__dirname, "page", name);
  try {
    return {
      body: await fs.readFile(file),
      headers: {
        "Content-Type": `${TYPES[path.extname(name)]}; charset=utf-8`,
        "Content-Security-Policy": POLICY,
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
      },
    };
  } catch {
    return undefined;
  }
};
