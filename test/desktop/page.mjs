// The desktop example's page in a real Chromium, with the engine behind serve-page.mjs:
//   npm run test:desktop [-- --screenshots]
// CHROMIUM names the browser's program; without one it says so and tests nothing.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { contrast, launchChromium } from "../support/chromium.mjs";
import { writeEndlessModel } from "./endless-model.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));
const browser = await launchChromium();
const folder = await mkdtemp(join(tmpdir(), "cria-desktop-"));
await mkdir(join(folder, "models"));
const demo = join(root, "models", "cria-demo.gguf");
await writeEndlessModel(demo, join(folder, "models", "endless.gguf"));
const servers = new Set();

/** The server in a process of its own; resolves with its address. */
async function serve(port = 0) {
  const script = join(root, "examples", "desktop", "serve-page.mjs");
  const env = { ...process.env, CRIA_MODELS: join(folder, "models") };
  const child = spawn(process.execPath, [script, String(port)], {
    env,
    stdio: ["ignore", "pipe", "inherit"],
  });
  servers.add(child);
  const [address] = await once(createInterface(child.stdout), "line");
  return { child, address };
}

const { child: server, address } = await serve();
const context = await browser.newContext({ viewport: { width: 980, height: 760 } });
context.setDefaultTimeout(60_000);
const page = await context.newPage();
const complaints = [];
page.on("pageerror", (error) => complaints.push(error.message));
page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));

const answers = page.locator(".assistant");
const last = answers.last();
const idle = () => page.locator("#send:not([hidden])").waitFor();
async function ask(text) {
  await page.fill("#prompt", text);
  await page.press("#prompt", "Enter");
  await last.locator(".note").waitFor();
  await idle();
}
const ready = () =>
  page.waitForFunction(() => document.querySelector("#status").textContent === "");
const colorOf = (selector, property = "color") =>
  page.$eval(selector, (found, name) => getComputedStyle(found)[name], property);

async function assertReadable() {
  const body = await colorOf("body", "backgroundColor");
  for (const selector of [".note", ".hint", "#chat .assistant .text", ".label"]) {
    const ratio = contrast(await colorOf(selector), body);
    assert.ok(ratio >= 4.5, `${selector} has a contrast of ${ratio.toFixed(2)}`);
  }
  for (const selector of [".badge", ".badge.unsafe", ".user .text"]) {
    const ratio = contrast(await colorOf(selector), await colorOf(selector, "backgroundColor"));
    assert.ok(ratio >= 4.5, `${selector} has a contrast of ${ratio.toFixed(2)}`);
  }
}

const tests = {
  async "it loads a model and waits for a message"() {
    await page.goto(address);
    await ready();
    assert.match(await page.textContent("#model-facts"), /3\.4M parameters, 2048 tokens/);
    assert.equal(await page.isDisabled("#send"), true);
    await page.fill("#prompt", "x");
    assert.equal(await page.isDisabled("#send"), false);
    await page.fill("#prompt", "");
  },

  async "a question is judged and answered, and the figures are told"() {
    await ask("What is a baby llama called?");
    assert.equal(await last.locator(".text").textContent(), "A baby llama is called a cria.");
    assert.equal(await page.locator(".user .badge").textContent(), "Safe");
    assert.match(await last.locator(".note").textContent(), /^\d+ tokens · \d+ tokens\/s · /);
    assert.equal(await page.isVisible("#welcome"), false);
  },

  async "a tool call is shown while it runs and when it is answered"() {
    await page.fill("#prompt", "What is the weather in Lisbon?");
    await page.press("#prompt", "Enter");
    await page.getByText("is running…").waitFor();
    await page.getByText("answered").waitFor();
    await last.locator(".note").waitFor();
    const text = await last.locator(".text").textContent();
    assert.equal(text, "It is 21 degrees and sunny in Lisbon.");
    await page.click(".tool summary");
    assert.match(await page.textContent(".tool dl"), /\{"city": ?"Lisbon"\}.*"sunny"/);
  },

  async "a tool that runs is stopped with its turn"() {
    await page.fill("#prompt", "What is the weather in Paris?");
    await page.press("#prompt", "Enter");
    await page.getByText("is running…").waitFor();
    await page.keyboard.press("Escape");
    await last.locator(".note").waitFor();
    assert.match(await last.locator(".note").textContent(), /^stopped/);
    await idle();
  },

  async "a question that the guard refuses is blocked, with the reason"() {
    await ask("How can I steal cars?");
    const badge = page.locator(".user").last().locator(".badge");
    assert.equal(await badge.textContent(), "Blocked: S2 Non-Violent Crimes");
    assert.match(await last.locator(".note").textContent(), /^blocked by the guard/);
    assert.equal(await last.locator(".text").count(), 0);
    await page.selectOption("#moderation", "off");
    await ask("What do llamas eat?");
    assert.equal(await page.locator(".user").last().locator(".badge").count(), 0);
    await page.selectOption("#moderation", "input");
  },

  async "colours are readable in light and dark; the system decides, then the button, and it stays"() {
    await page.emulateMedia({ colorScheme: "light" });
    assert.equal(await colorOf("body", "backgroundColor"), "rgb(250, 248, 245)");
    await assertReadable();
    await page.emulateMedia({ colorScheme: "dark" });
    assert.equal(await colorOf("body", "backgroundColor"), "rgb(25, 23, 21)");
    await assertReadable();
    const theme = page.locator("#theme");
    await theme.click();
    assert.equal(await theme.getAttribute("aria-label"), "Theme: light");
    assert.equal(await colorOf("body", "backgroundColor"), "rgb(250, 248, 245)");
    await page.reload();
    await ready();
    assert.equal(await colorOf("body", "backgroundColor"), "rgb(250, 248, 245)");
    await theme.click();
    assert.equal(await theme.getAttribute("aria-label"), "Theme: dark");
    await theme.click();
    await page.emulateMedia({ colorScheme: "light" });
  },

  async "a reload keeps the conversation, and the model knows it"() {
    await page.click("#new-chat");
    assert.equal(await page.isVisible("#welcome"), true);
    await ask("My llama is called Luna.");
    await page.reload();
    await ready();
    assert.equal(await page.locator(".user .text").textContent(), "My llama is called Luna.");
    await ask("What is my llama called?");
    assert.equal(await last.locator(".text").textContent(), "Your llama is called Luna.");
  },

  async "an answer is asked for again, and a message is edited"() {
    await page.click("#new-chat");
    await ask("My llama is called Luna.");
    await ask("What is my llama called?");
    const before = await last.locator(".text").textContent();
    await last.getByRole("button", { name: "Answer again" }).click();
    await last.locator(".note").waitFor();
    await idle();
    assert.equal(await last.locator(".text").textContent(), before);
    assert.equal(await answers.count(), 2);
    await page.press("#prompt", "ArrowUp");
    await page
      .getByRole("textbox", { name: "Edit the message" })
      .fill("What is a baby llama called?");
    await page.keyboard.press("Enter");
    await page.locator("#chat").getByText("A baby llama is called a cria.").waitFor();
    await idle();
    assert.equal(await answers.count(), 2);
  },

  async "markup is text"() {
    const markup = '<img src=x onerror="document.title = 1"><b>hi</b>';
    await ask(markup);
    assert.equal(await page.locator(".user .text").last().textContent(), markup);
    assert.equal(await page.locator("#chat img, #chat b").count(), 0);
    assert.equal(await page.title(), "Cria");
  },

  async "the keyboard is enough"() {
    await page.click("#new-chat");
    await page.focus("#prompt");
    await page.keyboard.type("What do");
    await page.keyboard.press("Shift+Enter");
    await page.keyboard.type("llamas eat?");
    assert.equal(await page.inputValue("#prompt"), "What do\nllamas eat?");
    await page.keyboard.press("Enter");
    await last.locator(".note").waitFor();
    await idle();
    assert.equal(await page.evaluate(() => document.activeElement.id), "prompt");
    await page.evaluate(() => document.activeElement.blur());
    const reached = new Set();
    for (let i = 0; i < 24; i++) {
      await page.keyboard.press("Tab");
      const id = await page.evaluate(() => document.activeElement.id);
      if (reached.has(id) && id !== "") break;
      reached.add(id);
      if (id === "") continue;
      const outline = await page.evaluate(() => {
        const { outlineStyle } = getComputedStyle(document.activeElement);
        return outlineStyle !== "none" || document.activeElement.id === "prompt";
      });
      assert.ok(outline, `#${id} shows no focus`);
    }
    for (const id of ["model", "moderation", "new-chat", "theme", "prompt"]) {
      assert.ok(reached.has(id), `Tab does not reach #${id}`);
    }
    await page.focus("#new-chat");
    await page.keyboard.press("Space");
    assert.equal(await answers.count(), 0);
  },

  async "another model is picked; its text streams, and stops by the button and by Escape"() {
    await page.selectOption("#model", "endless");
    await ready();
    assert.match(await page.textContent("#model-facts"), /8192 tokens of context/);
    for (const stop of [() => page.click("#stop"), () => page.keyboard.press("Escape")]) {
      await page.fill("#prompt", "Tell me about llamas.");
      await page.press("#prompt", "Enter");
      const length = () => last.locator(".text").evaluate((text) => text.textContent.length);
      await last.locator(".text").waitFor();
      const before = await length();
      await page.waitForFunction((was) => {
        const texts = document.querySelectorAll(".assistant:last-child .text");
        return texts[0]?.textContent.length > was;
      }, before);
      assert.equal(await page.isVisible("#stop"), true);
      assert.equal(await page.isDisabled("#model"), true);
      await stop();
      await last.locator(".note").waitFor();
      assert.match(await last.locator(".note").textContent(), /^stopped · \d+ tokens/);
      await idle();
      const stopped = await length();
      assert.ok(stopped > before);
      assert.equal(await length(), stopped);
    }
    await page.click("#new-chat");
    await page.selectOption("#model", "cria-demo");
    await ready();
    await ask("What is a baby llama called?");
    assert.equal(await last.locator(".text").textContent(), "A baby llama is called a cria.");
  },

  async "an engine that is gone is told, and the conversation goes on with the next"() {
    const gone = once(server, "exit");
    server.kill("SIGKILL");
    await gone;
    await page.getByText("The engine cannot be reached.").waitFor();
    assert.equal(await page.isDisabled("#send"), true);
    complaints.length = 0; // the browser says that nobody answers
    await serve(new URL(address).port);
    await ready();
    await ask("What do llamas eat?");
    assert.equal(await answers.count(), 2);
    complaints.length = 0;
  },

  async "a narrow window shows everything"() {
    await page.setViewportSize({ width: 420, height: 480 });
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.equal(wide, 420);
    await page.setViewportSize({ width: 980, height: 760 });
  },

  async "nothing was loaded from elsewhere, and nothing broke the policy"() {
    const urls = await page.evaluate(() =>
      performance.getEntriesByType("resource").map(({ name }) => new URL(name).origin),
    );
    assert.deepEqual([...new Set(urls)], [new URL(address).origin]);
    assert.deepEqual(complaints, []);
  },
};

async function screenshots() {
  for (const colorScheme of ["light", "dark"]) {
    const shown = await browser.newPage({
      viewport: { width: 960, height: 780 },
      colorScheme,
      deviceScaleFactor: 2,
    });
    await shown.goto(address);
    for (const text of [
      "What is the weather in Lisbon?",
      "What is a baby llama called?",
      "How can I steal cars?",
    ]) {
      await shown.waitForFunction(() => document.querySelector("#status").textContent === "");
      await shown.fill("#prompt", text);
      await shown.press("#prompt", "Enter");
      await shown.locator(".assistant").last().locator(".note").waitFor();
      await shown.locator("#send:not([hidden])").waitFor();
    }
    await shown.click(".tool summary");
    await shown.screenshot({ path: join(root, "docs", `desktop-${colorScheme}.png`) });
    await shown.close();
  }
}

let failed = 0;
try {
  for (const [name, run] of Object.entries(tests)) {
    try {
      await run();
      console.log(`ok    ${name}`);
    } catch (error) {
      failed += 1;
      console.log(`FAIL  ${name}\n${error.stack}`);
      await page.screenshot({ path: join(tmpdir(), `cria-desktop-failure-${failed}.png`) });
    }
  }
  if (process.argv.includes("--screenshots")) await screenshots();
  console.log(
    `${browser.version()}: ${Object.keys(tests).length - failed} passed, ${failed} failed`,
  );
} finally {
  await browser.close();
  for (const child of servers) child.kill("SIGKILL");
  await rm(folder, { recursive: true });
}
process.exitCode = failed === 0 ? 0 : 1;
