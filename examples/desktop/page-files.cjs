// What the page is made of, for the app's own scheme (main.cjs) and for a server (serve-page.mjs): cria's chat page,
// with what is in page/ in place of or beside its files.

const fs = require("node:fs/promises");
const path = require("node:path");
const { pageFile } = require("cria/server");

/** cria's client for pages is one file, and its name in the package's exports is of no use to a page. */
const client = path.join(path.dirname(require.resolve("cria/electron")), "electron-page.js");
const OWN = ["main.js", "engine-transport.js", "engine-port.js", "port-text.js", "tools.js"];

function ownFile(name) {
  if (name === "cria.js") return client;
  return OWN.includes(name) ? path.join(__dirname, "page", name) : undefined;
}

/** The file of a URL's path with its headers, or undefined. */
exports.pageFile = async (pathname) => {
  const own = ownFile(pathname.replace(/^\/page\//, ""));
  if (own === undefined) return pageFile(pathname);
  // Its script's headers, the policy among them, hold for these scripts, too.
  const { headers } = await pageFile("/page/main.js");
  return { body: await fs.readFile(own, "utf8"), headers };
};
