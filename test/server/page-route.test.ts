// The chat page's files, as the server sends them. What the page does is test/page's, in a browser.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { createServer, type ServerOptions } from "../../lib/server/create-server.js";
import { isPagePath, pageFile } from "../../lib/server/page-files.js";
import { DIST, MODEL } from "../support/paths.js";
import { errorShape, type ServedHttp, served } from "../support/served.js";

let here: ServedHttp;
let locked: ServedHttp;
beforeAll(async () => {
  const models = { demo: MODEL }; // which nobody asks for
  here = await served({ models });
  locked = await served({ models, apiKeys: ["secret"] });
});
afterAll(async () => {
  await here.close();
  await locked.close();
});

const PARTS = readdirSync(join(DIST, "page")).filter((name) => name !== "index.html");
const NOT_FOUND = errorShape({ code: "unknown_url" });

test("the page is there, with a policy that lets nothing else in", async () => {
  const answer = await here.get("/");
  expect(answer.status).toBe(200);
  const { "content-security-policy": policy, ...headers } = Object.fromEntries(answer.headers);
  expect(headers).toMatchObject({
    "content-type": "text/html; charset=utf-8",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
  });
  expect(policy?.split("; ")).toEqual([
    ...["default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'"],
    ...["img-src 'self' data:", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"],
    ...["require-trusted-types-for 'script'", "trusted-types 'none'"],
  ]);
});

test("all that the page names is there, and nothing of it is inline or from elsewhere", async () => {
  const html = await (await here.get("/")).text();
  const named = [...html.matchAll(/(?:src|href)="([^"#]+)"/g)].map(([, name]) => name);
  expect(named.length).toBeGreaterThan(4);
  for (const name of named) {
    expect(name).toMatch(/^page\/[a-z-]+\.(js|css|svg)$/);
    expect((await here.get(`/${name}`)).status).toBe(200);
  }
  expect(html).not.toMatch(/<style|\sstyle=|\son\w+=|<script>/);
});

test.each(PARTS)("/page/%s has a type of its own and the policy", async (name) => {
  const answer = await here.get(`/page/${name}`);
  expect(answer.status).toBe(200);
  const types = { js: "text/javascript", css: "text/css", svg: "image/svg+xml" };
  const type = types[name.split(".").at(-1) as keyof typeof types];
  expect(answer.headers.get("content-type")).toBe(`${type}; charset=utf-8`);
  expect(answer.headers.get("content-security-policy")).toMatch(/^default-src 'none'/);
});

test("the script makes no HTML, evaluates no text, and imports nothing", async () => {
  const { body = "" } = (await pageFile("/page/chat-page.js")) ?? {};
  expect(body).not.toMatch(/innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser/);
  expect(body).not.toMatch(/\beval\(|new Function|\bimport\s*[({"']/);
  expect(body.length).toBeLessThan(160 * 1024);
  expect(body.length).toBeGreaterThan(20 * 1024);
});

test("HEAD has the same headers and no body; other methods are unknown", async () => {
  const answer = await fetch(here.url, { method: "HEAD" });
  expect(answer.status).toBe(200);
  expect(Number(answer.headers.get("content-length"))).toBeGreaterThan(1000);
  expect(await answer.text()).toBe("");
  const refused = await here.post("/", {});
  expect(refused.status).toBe(404);
  expect(await refused.json()).toEqual(NOT_FOUND);
});

const OUTSIDE = [
  ...["/index.html", "/page", "/page/", "/page/index.html", "/page/x.js", "/page/main.js/"],
  ...["/page/%2e%2e/server.cjs", "/page/..%2fserver.cjs", "/page/constructor", "/page/__proto__"],
  ...["//", "/page//main.js", "/page/MAIN.JS"],
];

test.each(OUTSIDE)("%s is none of its files", async (path) => {
  expect(isPagePath(path)).toBe(false);
  expect(await pageFile(path)).toBeUndefined();
  const answer = await here.get(path);
  expect(answer.status).toBe(404);
  expect(await answer.json()).toEqual(NOT_FOUND);
});

test("the page needs no key, and what it asks for does", async () => {
  for (const path of ["/", "/page/chat-page.js"]) {
    expect((await locked.get(path)).status).toBe(200);
  }
  for (const path of ["/v1/models", "/page/x.js", "/metrics"]) {
    expect((await locked.get(path)).status).toBe(401);
  }
});

test("pages of other sites get nothing of it", async () => {
  for (const origin of ["https://evil.example", "null"]) {
    expect((await here.get("/", { origin })).status).toBe(403);
  }
  expect((await here.get("/")).headers.get("access-control-allow-origin")).toBeNull();
});

test("requests for it are counted together", async () => {
  await here.get("/page/icon.svg");
  expect(await (await here.get("/metrics")).text()).toMatch(/route="page",status="200"/);
});

test("`page: false` leaves it out", async () => {
  const without = await served({ models: { demo: MODEL }, page: false });
  try {
    for (const path of ["/", "/page/main.js"]) {
      const answer = await without.get(path);
      expect(answer.status).toBe(404);
      expect(await answer.json()).toEqual(NOT_FOUND);
    }
  } finally {
    await without.close();
  }
});

test("what is no boolean is refused", () => {
  const options = { models: { demo: MODEL }, page: "no" } as unknown as ServerOptions;
  expect(() => createServer(options)).toThrow(
    expect.objectContaining({
      code: "ERR_INVALID_ARGUMENT",
      message: expect.stringMatching(/page/),
    }),
  );
});
