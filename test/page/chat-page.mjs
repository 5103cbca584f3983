// The server's chat page in a real Chromium: npm run test:page [-- --screenshots]
// Once before cria's own server with the demo model, once before a server that says what a test has written down.
// CHROMIUM names the browser's program; without one it says so and tests nothing.

import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createServer } from "cria/server";
import { writeEndlessModel } from "../desktop/endless-model.mjs";
import { contrast, launchChromium } from "../support/chromium.mjs";
import { findBarriers } from "./accessibility.mjs";
import { findViolations, HOSTILE } from "./hostile-outputs.mjs";
import { takeScreenshots } from "./screenshots.mjs";
import { serveScripted } from "./scripted-server.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));
const demo = join(root, "models", "cria-demo.gguf");
const browser = await launchChromium();
const folder = await mkdtemp(join(tmpdir(), "cria-page-"));
const endless = join(folder, "endless.gguf");
await writeEndlessModel(demo, endless);

async function serve(options, port = 0) {
  const server = createServer(options);
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return { server, address: `http://127.0.0.1:${server.address().port}/` };
}

const models = { "cria-demo": demo, endless };
const { server, address } = await serve({ models });
const script = await serveScripted();
const context = await browser.newContext({ viewport: { width: 1100, height: 760 } });
context.setDefaultTimeout(60_000);
/** What went wrong in the browser, and what nobody should have asked for. */
const complaints = [];
const elsewhere = [];
context.on("weberror", (error) => complaints.push(error.error().message));
context.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
context.on("dialog", (dialog) => complaints.push(`a dialog: ${dialog.message()}`));
context.on("request", (request) => {
  const { origin, protocol } = new URL(request.url());
  const own = [address, script.address].some((one) => new URL(one).origin === origin);
  if (!own && protocol !== "data:") elsewhere.push(request.url());
});
const page = await context.newPage();

const answers = page.locator(".assistant");
const last = answers.last();
const status = (text) =>
  page.waitForFunction((wanted) => document.querySelector("#status").textContent === wanted, text);
const ready = () => status("");
const said = (text) => page.locator("#chat").getByText(text);
const idle = () => page.locator("#send:not([hidden])").waitFor();
const textOf = (locator) => locator.evaluate((found) => found.textContent);
const colorOf = (selector, property = "color") =>
  page.$eval(selector, (found, name) => getComputedStyle(found)[name], property);

async function send(text) {
  await page.fill("#prompt", text);
  await page.press("#prompt", "Enter");
}
async function ask(text) {
  const before = await answers.count();
  await send(text);
  await answers.nth(before).locator(".foot .actions").waitFor();
  await idle();
}
async function set(fields) {
  await page.click("#open-settings");
  for (const [id, value] of Object.entries(fields)) await page.fill(`#${id}`, value);
  await page.getByRole("button", { name: "Done" }).click();
}
async function open(where) {
  await page.goto(where);
  await ready();
}

/** Before cria's own server. */
const served = {
  async "the page comes with its policy, and knows the models"() {
    const response = await page.goto(address);
    assert.match(
      response.headers()["content-security-policy"],
      /^default-src 'none'; script-src 'self';/,
    );
    await ready();
    assert.deepEqual(await page.$$eval("#model option", (all) => all.map(({ value }) => value)), [
      "cria-demo",
      "endless",
    ]);
    assert.equal(await page.evaluate(() => document.activeElement.id), "prompt");
    assert.equal(await page.isVisible("#welcome"), true);
  },

  async "a message is sent, and its answer streams in, with figures"() {
    await set({ temperature: "0" });
    await ask("What is a baby llama called?");
    assert.equal(await textOf(last.locator(".text")), "A baby llama is called a cria.");
    assert.match(
      await textOf(last.locator(".note")),
      /^\d+ tokens · \d+ tokens\/s · [\d.]+ s · \d+ of \d+ prompt/,
    );
    assert.equal(await page.textContent("#announcer"), "A baby llama is called a cria.");
    await page.waitForFunction(() =>
      /parameters/.test(document.querySelector("#model-facts").textContent),
    );
  },

  async "a reload keeps the conversation, its settings and the model's memory of it"() {
    await page.click("#new-chat");
    await ask("My llama is called Luna.");
    await page.reload();
    await ready();
    assert.equal(await textOf(page.locator(".user .text")), "My llama is called Luna.");
    await ask("What is my llama called?");
    assert.equal(await textOf(last.locator(".text")), "Your llama is called Luna.");
  },

  async "a conversation of the list is opened, deleted, and brought back"() {
    const titles = () =>
      page.$$eval("#conversations .title", (all) => all.map((one) => one.textContent));
    assert.deepEqual(await titles(), ["My llama is called Luna.", "What is a baby llama called?"]);
    await page.getByRole("button", { name: "What is a baby llama called?", exact: true }).click();
    assert.equal(await textOf(last.locator(".text")), "A baby llama is called a cria.");
    await page
      .getByRole("button", { name: "Delete “What is a baby llama called?”" })
      .click({ force: true });
    await page.getByText("The conversation is deleted.").waitFor();
    assert.deepEqual(await titles(), ["My llama is called Luna."]);
    assert.equal(await answers.count(), 0);
    await page.getByRole("button", { name: "Undo" }).click();
    assert.equal((await titles()).length, 2);
    await page.reload();
    await ready();
    await page.locator("#conversations .title").nth(1).waitFor();
  },

  async "text streams from an endless model; the button and Escape stop it"() {
    await page.click("#new-chat");
    await page.selectOption("#model", "endless");
    await ready();
    for (const stop of [() => page.click("#stop"), () => page.keyboard.press("Escape")]) {
      await send("Tell me about llamas.");
      const length = () => last.locator(".text").evaluate((text) => text.textContent.length);
      await last.locator(".text").waitFor();
      const before = await length();
      await page.waitForFunction(
        (was) => document.querySelector(".assistant:last-child .text").textContent.length > was,
        before,
      );
      assert.equal(await last.getAttribute("aria-busy"), "true");
      assert.equal(await page.isDisabled("#model"), true);
      await stop();
      await last.locator(".note").waitFor();
      assert.match(await textOf(last.locator(".note")), /^stopped · /);
      await idle();
      const stopped = await length();
      assert.ok(stopped >= before);
      assert.equal(await page.evaluate(() => document.activeElement.id), "prompt");
      assert.equal(await length(), stopped);
    }
  },

  async "a reload in the middle of an answer keeps the question"() {
    await page.click("#new-chat");
    await send("Tell me everything.");
    await last.locator(".text").waitFor();
    await page.reload();
    await ready();
    assert.equal(await textOf(page.locator(".user .text")), "Tell me everything.");
    await page.click("#new-chat");
    await page.selectOption("#model", "cria-demo");
    await ready();
  },

  async "the server's refusal is shown, with its code and what to do"() {
    await set({ "max-tokens": "2147483647", temperature: "0" });
    await ask(`${"llama ".repeat(3000)}?`);
    const failure = last.getByRole("alert");
    await failure.waitFor();
    assert.equal(await textOf(failure.locator("code")), "context_length_exceeded");
    assert.match(await textOf(failure), /begin a new chat/);
    complaints.length = 0; // the browser notes the status
    await page.click("#open-settings");
    await page.click("#reset-settings");
    await page.fill("#temperature", "0");
    await page.keyboard.press("Escape");
  },

  async "a picture for a model that sees none is refused by its server, and shown so"() {
    await page.click("#new-chat");
    await page.setInputFiles("#picture-file", {
      name: "b.png",
      mimeType: "image/png",
      buffer: PNG,
    });
    await page.locator("#pictures li").waitFor();
    await ask("What is it?");
    assert.match(await textOf(last.getByRole("alert").locator("code")), /^ERR_/);
    complaints.length = 0; // the browser notes the status
  },

  async "a browser that keeps nothing has the page all the same"() {
    const own = await browser.newPage();
    const errors = [];
    own.on("pageerror", (error) => errors.push(error.message));
    await own.addInitScript(() => {
      const refuse = {
        get: () => {
          throw new DOMException("denied", "SecurityError");
        },
      };
      for (const name of ["localStorage", "sessionStorage"])
        Object.defineProperty(window, name, refuse);
      IDBFactory.prototype.open = () => {
        throw new DOMException("denied", "SecurityError");
      };
    });
    await own.goto(address);
    await own.waitForFunction(() => document.querySelector("#status").textContent === "");
    await own.fill("#prompt", "What is a baby llama called?");
    await own.press("#prompt", "Enter");
    await own.locator(".assistant .foot .actions").waitFor();
    await own.getByText("This browser does not keep the conversation").waitFor();
    await own.click("#new-chat");
    await own.locator("#conversations .title").click();
    assert.equal(await own.locator(".user .text").textContent(), "What is a baby llama called?");
    assert.deepEqual(errors, []);
    await own.close();
  },

  async "a server that asks for a key gets one, and a wrong one is told"() {
    const locked = await serve({ models: { "cria-demo": demo }, apiKeys: ["s3cret"] });
    const own = await context.newPage();
    await own.route("**", (route) => route.continue());
    elsewhere.length = 0;
    await own.goto(locked.address);
    const dialog = own.locator("#key-dialog[open]");
    await dialog.waitFor();
    assert.match(await own.textContent("#key-problem"), /An API key is needed/);
    await own.fill("#api-key", "wrong");
    await own.press("#api-key", "Enter");
    await own.waitForFunction(() =>
      /none of this server's/.test(document.querySelector("#key-problem").textContent),
    );
    await own.fill("#api-key", "s3cret");
    await own.press("#api-key", "Enter");
    await own.waitForFunction(() => document.querySelector("#status").textContent === "");
    await own.fill("#prompt", "What is a baby llama called?");
    await own.press("#prompt", "Enter");
    await own.locator(".assistant .foot .actions").waitFor();
    assert.ok(await own.locator(".assistant .text").isVisible());
    await own.reload();
    await own.waitForFunction(() => document.querySelector("#status").textContent === "");
    assert.equal(await own.evaluate(() => localStorage.getItem("cria-api-key")), null);
    await own.close();
    locked.server.close();
    locked.server.closeAllConnections();
    const origin = new URL(locked.address).origin;
    assert.ok(elsewhere.every((url) => url.startsWith(origin)));
    elsewhere.length = 0;
    complaints.length = 0; // 401
  },

  async "a server that is gone is told, and the conversation goes on with the next"() {
    await page.click("#new-chat");
    await ask("What is a baby llama called?");
    const gone = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await gone;
    await ask("What do llamas eat?");
    assert.match(await textOf(last.getByRole("alert")), /The server cannot be reached/);
    complaints.length = 0;
    const next = await serve({ models }, Number(new URL(address).port));
    await last.getByRole("button", { name: "Answer again" }).click();
    await last.locator(".note").waitFor();
    await idle();
    assert.equal(await last.getByRole("alert").count(), 0);
    assert.equal(await answers.count(), 2);
    after.push(() => {
      next.server.close();
      next.server.closeAllConnections();
    });
  },
};

/** Before answers that were written down. */
const scripted = {
  async "thoughts are folded, markdown is rendered, code is copied"() {
    await open(script.address);
    script.answer = async (_, tell) => {
      tell({ reasoning_content: "A **table**, " });
      tell({ reasoning_content: "then." });
      for (const piece of MARKDOWN.match(/.{1,5}/gs)) tell({ content: piece });
      return "stop";
    };
    await ask("Everything, please.");
    const thoughts = last.locator(".reasoning");
    assert.equal(await thoughts.evaluate((details) => details.open), false);
    await thoughts.locator("summary").click();
    assert.equal(await textOf(thoughts.locator(".markdown")), "A table, then.");
    const count = (selector) => last.locator(`.text ${selector}`).count();
    const wanted = {
      h4: 1,
      td: 4,
      "td.right": 2,
      "ol > li": 2,
      "ul ul li": 1,
      blockquote: 1,
      strong: 1,
      "a[href]": 3,
    };
    for (const [selector, many] of Object.entries(wanted))
      assert.equal(await count(selector), many, selector);
    assert.equal(await textOf(last.locator("pre code")), "if (a < b) {\n\treturn `x`;\n}");
    const grown = await last.locator(".text").evaluate((text) => text.innerHTML);
    await context.grantPermissions(["clipboard-read", "clipboard-write"]);
    await last.getByRole("button", { name: "Copy the code" }).click();
    await last.locator("[data-told=Copied]").waitFor();
    assert.equal(
      await page.evaluate(() => navigator.clipboard.readText()),
      "if (a < b) {\n\treturn `x`;\n}",
    );
    await last.getByRole("button", { name: "Copy the answer" }).click();
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), MARKDOWN);
    // Made piece by piece it is what it is when made at once.
    await page.reload();
    await ready();
    assert.equal(await last.locator(".text").evaluate((text) => text.innerHTML), grown);
  },

  async "an answer is asked for again, a message is edited, and what came behind goes"() {
    await page.click("#new-chat");
    let count = 0;
    script.answer = async ({ messages }, tell) => {
      count += 1;
      tell({ content: `${messages.at(-1).content} ${count}` });
      return "stop";
    };
    await ask("one");
    await ask("two");
    await last.getByRole("button", { name: "Answer again" }).click();
    await said("two 3").waitFor();
    await idle();
    assert.deepEqual(
      script.asked.at(-1).messages.map(({ content }) => content),
      ["one", "one 1", "two"],
    );
    await page.locator(".user").first().hover();
    await page.getByRole("button", { name: "Edit the message" }).first().click();
    await page.keyboard.press("Escape");
    assert.equal(await answers.count(), 2);
    await page.getByRole("button", { name: "Edit the message" }).first().click();
    await page.getByRole("textbox", { name: "Edit the message" }).fill("three");
    await page.keyboard.press("Enter");
    await said("three 4").waitFor();
    await idle();
    assert.equal(await answers.count(), 1);
    assert.deepEqual(
      script.asked.at(-1).messages.map(({ content }) => content),
      ["three"],
    );
  },

  async "tools are described, their calls shown, and the user says what they return"() {
    await page.click("#new-chat");
    const tool = {
      type: "function",
      function: { name: "get_weather", parameters: { type: "object" } },
    };
    await page.click("#open-settings");
    await page.fill("#tools", "[{");
    assert.match(await page.textContent("#tools-problem"), /This is not JSON/);
    await page.fill("#tools", JSON.stringify([tool]));
    assert.equal(await page.textContent("#tools-problem"), "");
    await page.getByRole("button", { name: "Done" }).click();
    script.answer = async ({ messages }, tell) => {
      const { role, content } = messages.at(-1);
      if (role === "tool") {
        tell({ content: `It is ${content}.` });
        return "stop";
      }
      const call = (index, id, text) => ({
        tool_calls: [{ index, id, function: { name: "get_weather", arguments: text } }],
      });
      tell(call(0, "a", '{"city": '));
      tell({ tool_calls: [{ index: 0, function: { arguments: '"Lisbon"}' } }] });
      tell(call(1, "b", '{"city": "Lima"}'));
      return "tool_calls";
    };
    await ask("How is the weather?");
    assert.deepEqual(script.asked.at(-1).tools, [tool]);
    assert.match(await textOf(last.locator(".tool dl").first()), /\{"city": "Lisbon"\}/);
    for (const [i, text] of ["sunny", "rainy"].entries()) {
      await last.locator(".tool textarea").first().fill(text);
      await last.getByRole("button", { name: "Send the result" }).first().click();
      if (i === 0) await last.locator(".tool").first().getByText("answered").waitFor();
    }
    await last.getByText("It is rainy.").waitFor();
    await idle();
    const call = (id, city) => ({
      id,
      type: "function",
      function: { name: "get_weather", arguments: `{"city": "${city}"}` },
    });
    assert.deepEqual(script.asked.at(-1).messages.slice(1), [
      { role: "assistant", content: "", tool_calls: [call("a", "Lisbon"), call("b", "Lima")] },
      { role: "tool", tool_call_id: "a", content: "sunny" },
      { role: "tool", tool_call_id: "b", content: "rainy" },
    ]);
    await page.click("#open-settings");
    await page.click("#reset-settings");
    await page.getByRole("button", { name: "Done" }).click();
  },

  async "what is set goes along, what is not stays with the server"() {
    await page.click("#new-chat");
    script.answer = async (_, tell) => {
      tell({ content: "x" });
      return "length";
    };
    await ask("plain");
    const plain = ["messages", "model", "stream", "stream_options"];
    assert.deepEqual(Object.keys(script.asked.at(-1)).sort(), plain);
    assert.match(await textOf(last.locator(".note")), /^cut off · /);
    await set({
      system: "Be brief.",
      temperature: "0.5",
      "top-p": "0.9",
      "top-k": "20",
      "min-p": "0.1",
      "max-tokens": "9",
      seed: "3",
    });
    await ask("set");
    const { messages, ...rest } = script.asked.at(-1);
    assert.deepEqual(messages[0], { role: "system", content: "Be brief." });
    assert.deepEqual(rest, {
      ...{ model: "scripted", stream: true, stream_options: { include_usage: true } },
      ...{ temperature: 0.5, top_p: 0.9, top_k: 20, min_p: 0.1, max_tokens: 9, seed: 3 },
    });
    await page.click("#open-settings");
    await page.click("#reset-settings");
    await page.getByRole("button", { name: "Done" }).click();
  },

  async "pictures are dropped, pasted and picked, drawn anew, and sent; a model without eyes says so"() {
    await page.click("#new-chat");
    const drop = (type, name) =>
      page.evaluate(
        async ([mime, file]) => {
          const canvas = new OffscreenCanvas(3000, 10);
          canvas.getContext("2d").fillRect(0, 0, 1, 1);
          const blob = mime.startsWith("image")
            ? await canvas.convertToBlob({ type: mime })
            : new Blob(["x"]);
          const data = new DataTransfer();
          data.items.add(new File([blob], file, { type: mime }));
          const options = { dataTransfer: data, bubbles: true, cancelable: true };
          document.body.dispatchEvent(new DragEvent("dragover", options));
          document.body.dispatchEvent(new DragEvent("drop", options));
        },
        [type, name],
      );
    await drop("image/webp", "a.webp");
    await page.locator("#pictures li").waitFor();
    await drop("text/html", "a.html");
    await page.getByText("Only pictures can be sent").waitFor();
    assert.equal(await page.locator("#pictures li").count(), 1);
    await page.setInputFiles("#picture-file", {
      name: "b.png",
      mimeType: "image/png",
      buffer: PNG,
    });
    await page.locator("#pictures li").nth(1).waitFor();
    await page.getByRole("button", { name: "Remove picture 2" }).click();
    assert.equal(await page.locator("#pictures li").count(), 1);
    script.answer = async () => {
      throw Object.assign(new Error("This model has no eyes"), {
        status: 400,
        code: "ERR_UNSUPPORTED",
      });
    };
    await ask("What is it?");
    const [{ content }] = script.asked.at(-1).messages;
    assert.deepEqual(
      content.map(({ type }) => type),
      ["image_url", "text"],
    );
    assert.match(content[0].image_url.url, /^data:image\/png;base64,/);
    const width = await page.locator(".user img").evaluate((picture) => picture.naturalWidth);
    assert.equal(width, 1568);
    assert.match(await textOf(last.getByRole("alert")), /This model has no eyesERR_UNSUPPORTED/);
    assert.equal(await page.locator("#pictures li").count(), 0);
    await page.reload();
    await ready();
    assert.equal(await page.locator(".user img").count(), 1);
    complaints.length = 0; // 400
  },

  async "an answer that breaks off is told, with what came of it"() {
    await page.click("#new-chat");
    script.answer = async (_, tell) => {
      tell({ content: "So far" });
      await last.locator(".text").waitFor();
      throw new Error("the connection is cut");
    };
    await ask("Go on.");
    assert.equal(await textOf(last.locator(".text")), "So far");
    await last.getByRole("alert").waitFor();
    complaints.length = 0;
  },

  async "a reader who has scrolled up stays there, and a button leads to the end"() {
    await page.click("#new-chat");
    let goOn;
    script.answer = async (_, tell) => {
      for (let i = 0; i < 60; i++) tell({ content: `line ${i}\n\n` });
      await new Promise((resolve) => {
        goOn = resolve;
      });
      for (let i = 60; i < 120; i++) tell({ content: `line ${i}\n\n` });
      return "stop";
    };
    await send("Many lines.");
    await said("line 59").waitFor();
    const top = () => page.$eval("#main", (main) => main.scrollTop);
    await page.waitForFunction(() => document.querySelector("#main").scrollTop > 0);
    await page.$eval("#main", (main) => main.scrollTo(0, 10));
    await page.locator("#to-end:not([hidden])").waitFor();
    goOn();
    await said("line 119").waitFor();
    await idle();
    assert.equal(await top(), 10);
    await page.click("#to-end");
    await page.locator("#to-end[hidden]").waitFor({ state: "attached" });
  },

  async "the keyboard is enough, and the focus is seen"() {
    await page.click("#new-chat");
    script.answer = async ({ messages }, tell) => {
      tell({ content: `You said ${JSON.stringify(messages.at(-1).content)}.` });
      return "stop";
    };
    await page.focus("#prompt");
    await page.keyboard.type("one");
    await page.keyboard.press("Shift+Enter");
    await page.keyboard.type("two");
    await page.keyboard.press("Enter");
    await said('You said "one\\ntwo".').waitFor();
    await idle();
    assert.equal(await page.evaluate(() => document.activeElement.id), "prompt");
    await page.keyboard.press("ArrowUp");
    await page.keyboard.press("Control+a");
    await page.keyboard.type("three");
    await page.keyboard.press("Enter");
    await said('You said "three".').waitFor();
    await idle();
    await page.evaluate(() => {
      document.querySelector(".skip").focus();
      document.activeElement.blur();
    });
    const reached = [];
    for (let i = 0; i < 60; i++) {
      await page.keyboard.press("Tab");
      const { name, seen } = await page.evaluate(() => {
        const { activeElement: at } = document;
        const around = at.closest("#composer") ?? at;
        return {
          name:
            at === document.body
              ? ""
              : at.id || at.getAttribute("aria-label") || at.textContent.trim(),
          seen: getComputedStyle(at).outlineStyle !== "none" || around.id === "composer",
        };
      });
      if (name === "") break; // behind the last one
      assert.ok(seen, `${name} shows no focus`);
      reached.push(name);
    }
    for (const name of [
      "model",
      "new-chat",
      "open-settings",
      "theme",
      "history-toggle",
      "prompt",
      "attach",
      "Copy the message",
      "Edit the message",
      "Copy the answer",
      "Answer again",
    ]) {
      assert.ok(reached.includes(name), `Tab does not reach ${name}: ${reached}`);
    }
    // A dialog keeps the focus, and gives it back.
    await page.focus("#open-settings");
    await page.keyboard.press("Enter");
    await page.locator("#settings[open]").waitFor();
    assert.equal(
      await page.evaluate(() => document.activeElement.closest("dialog")?.id),
      "settings",
    );
    await page.keyboard.press("Escape");
    assert.equal(await page.evaluate(() => document.activeElement.id), "open-settings");
  },

  async "it has names, headings and landmarks, at every width and in every state"() {
    script.answer = async (_, tell) => {
      tell({ reasoning_content: "Hm." });
      tell({ content: MARKDOWN });
      tell({ tool_calls: [{ index: 0, id: "a", function: { name: "f", arguments: "{}" } }] });
      return "tool_calls";
    };
    await ask("Everything.");
    for (const width of [1100, 420]) {
      await page.setViewportSize({ width, height: 760 });
      assert.deepEqual(await page.evaluate(findBarriers), []);
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), width);
    }
    await page.click("#history-toggle");
    assert.deepEqual(await page.evaluate(findBarriers), []);
    await page.keyboard.press("Tab");
    await page.keyboard.press("Escape");
    await page.setViewportSize({ width: 1100, height: 760 });
    await page.click("#open-settings");
    assert.deepEqual(await page.evaluate(findBarriers), []);
    await page.keyboard.press("Escape");
    const moving = () => page.evaluate(() => document.getAnimations().length);
    await page.emulateMedia({ reducedMotion: "reduce" });
    assert.equal(await moving(), 0);
    await page.emulateMedia({ reducedMotion: null });
  },

  async "colours are readable in light and dark; the system decides, then the button, and it stays"() {
    const readable = async () => {
      const body = await colorOf("body", "backgroundColor");
      for (const selector of [
        ".note",
        ".hint",
        "#chat .text p",
        ".label",
        ".text a",
        ".reasoning .markdown",
        ".text blockquote",
      ]) {
        const ratio = contrast(await colorOf(selector), body);
        assert.ok(ratio >= 4.5, `${selector} has a contrast of ${ratio.toFixed(2)}`);
      }
      for (const selector of [
        ".user .text",
        "th",
        ".primary",
        "#conversations li:has([aria-current])",
      ]) {
        const ratio = contrast(await colorOf(selector), await colorOf(selector, "backgroundColor"));
        assert.ok(ratio >= 4.5, `${selector} has a contrast of ${ratio.toFixed(2)}`);
      }
    };
    const [light, dark] = ["rgb(250, 248, 245)", "rgb(25, 23, 21)"];
    const back = () => colorOf("body", "backgroundColor");
    for (const [colorScheme, color] of [
      ["light", light],
      ["dark", dark],
    ]) {
      await page.emulateMedia({ colorScheme });
      assert.equal(await back(), color);
      await readable();
    }
    await page.click("#theme");
    assert.equal(await page.getAttribute("#theme", "aria-label"), "Theme: light");
    await page.reload();
    assert.equal(await back(), light);
    await ready();
    await page.click("#theme");
    assert.equal(await back(), dark);
    await page.click("#theme");
    await page.emulateMedia({ colorScheme: "light" });
  },
};

/** What a model might write to get at the page. */
const hostile = {
  async "hostile outputs are texts: nothing runs, nothing is asked for, nothing is styled"() {
    await open(script.address);
    await page.click("#new-chat");
    const before = script.paths.length;
    for (const [i, [name, text]] of Object.entries(HOSTILE).entries()) {
      const size = [3, 17, 100_000][i % 3];
      script.answer = async (_, tell) => {
        for (let at = 0; at < text.length; at += Math.max(size, text.length / 200)) {
          tell({ content: text.slice(at, at + Math.max(size, text.length / 200)) });
        }
        return "stop";
      };
      await ask(name);
      assert.deepEqual([name, ...(await page.evaluate(findViolations))], [name]);
      assert.deepEqual([name, ...complaints, ...elsewhere], [name]);
    }
    // The model's name is asked for once more when it has answered.
    const known = ["/v1/chat/completions", "/v1/models/scripted"];
    assert.deepEqual(
      script.paths.slice(before).filter((path) => !known.includes(path)),
      [],
    );
    assert.equal(page.url(), script.address);
    assert.ok(Object.keys(HOSTILE).length >= 60);
  },

  async "and when they come back from the browser's store, all at once"() {
    const shown = () => page.$$eval(".assistant .text", (all) => all.map((one) => one.innerHTML));
    const grown = await shown();
    await page.reload();
    await ready();
    assert.deepEqual(await page.evaluate(findViolations), []);
    assert.deepEqual([...complaints, ...elsewhere], []);
    const restored = await shown();
    for (const [i, name] of Object.keys(HOSTILE).entries()) {
      assert.equal(restored[i], grown[i], `${name}: what grew is not what was made at once`);
    }
  },

  async "a link says where it leads, and leads nowhere else"() {
    const links = await page.$$eval("#chat a", (all) =>
      all.map(({ href, title }) => [href, title]),
    );
    assert.ok(links.length > 10);
    for (const [href, title] of links) assert.equal(href, title);
  },

  async "code that runs backwards shows what turns it"() {
    const codes = await page.$$eval("#chat code .control", (all) =>
      all.map((one) => one.textContent),
    );
    assert.deepEqual(codes, ["U+202E", "U+2066", "U+202E", "U+2066"]);
  },

  async "they are texts as thoughts, names of tools, errors, questions and titles, too"() {
    for (const text of [
      "a script",
      "a picture that fails",
      "a picture from elsewhere",
      "a style",
      "names of the page",
      "an svg that loads",
    ].map((name) => HOSTILE[name])) {
      await page.click("#new-chat");
      script.answer = async (_, tell) => {
        tell({ reasoning_content: text });
        for (const name of [text, "__proto__"]) {
          tell({
            tool_calls: [
              { index: name === text ? 0 : 1, id: name, function: { name, arguments: text } },
            ],
          });
        }
        return text;
      };
      await ask(text);
      await last.locator(".reasoning summary").click();
      assert.equal(await textOf(page.locator(".user .text")), text);
      script.answer = async () => {
        throw Object.assign(new Error(text), { status: 400, code: text });
      };
      await ask("x");
      assert.ok((await textOf(last.getByRole("alert"))).startsWith(text));
      assert.deepEqual(await page.evaluate(findViolations), []);
      complaints.splice(0, complaints.length, ...complaints.filter((one) => !/400/.test(one)));
      assert.deepEqual([...complaints, ...elsewhere], []);
    }
  },

  async "a huge answer arrives whole, and the page is still there"() {
    await page.click("#new-chat");
    const paragraph = `${"word ".repeat(200)}\n\n`;
    script.answer = async (_, tell) => {
      for (let i = 0; i < 1000; i++) tell({ content: paragraph });
      tell({ content: "x".repeat(1_000_000) });
      tell({ content: " the end" });
      return "stop";
    };
    await ask("Everything you know.");
    const length = await last.locator(".text").evaluate((text) => text.textContent.length);
    assert.ok(length > 1_900_000, String(length));
    await page.click("#new-chat");
    script.answer = async (_, tell) => {
      tell({ content: "still here" });
      return "stop";
    };
    await ask("And now?");
    assert.equal(await textOf(last.locator(".text")), "still here");
  },
};

const MARKDOWN = [
  ...["## Title", "Some **bold** text.", "| a | b |\n|---|--:|\n| 1 | 2 |\n| 3 | 4 |"],
  ...["1. one\n2. two\n", "- x\n  - y\n", "> said", "```js\nif (a < b) {\n\treturn `x`;\n}\n```"],
  ...[
    "[link](https://example.org/) and https://example.org/bare, [later]",
    "[later]: https://example.org/later",
  ],
].join("\n\n");

/** One transparent pixel. */
const PNG = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
  "base64",
);

const after = [];
const tests = { ...served, ...scripted, ...hostile };
tests["nothing went to anybody else, and nothing broke the policy"] = async () => {
  assert.deepEqual(elsewhere, []);
  assert.deepEqual(complaints, []);
};

let failed = 0;
try {
  const only = process.env.ONLY;
  for (const [name, run] of Object.entries(tests)) {
    if (only !== undefined && !name.includes(only)) continue;
    try {
      await run();
      console.log(`ok    ${name}`);
    } catch (error) {
      failed += 1;
      console.log(`FAIL  ${name}\n${error.stack}`);
      await page.screenshot({ path: join(tmpdir(), `cria-page-failure-${failed}.png`) });
      complaints.length = 0;
      elsewhere.length = 0;
    }
  }
  if (process.argv.includes("--screenshots"))
    await takeScreenshots(browser, script, join(root, "docs"));
  console.log(
    `${browser.version()}: ${Object.keys(tests).length - failed} passed, ${failed} failed`,
  );
} finally {
  await browser.close();
  script.close();
  for (const end of after) end();
  server.close();
  await rm(folder, { recursive: true });
}
process.exitCode = failed === 0 ? 0 : 1;
