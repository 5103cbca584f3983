import { chromium } from "playwright-core";
import { serveScripted } from "./scripted-server.mjs";
const s = await serveScripted();
const rich = `## Three animals

Here is what **they eat**, as a table and with *some* \`inline code\`:

| Animal | Eats | Weight |
|:--|:--|--:|
| Llama | grass, hay | 150 kg |
| Puma | deer | 70 kg |
| Condor | carrion | 12 kg |

1. First point
2. Second point
   - nested, with [a link](https://example.org/path)
   - nested

> A quote that someone once said.

\`\`\`python
def fibonacci(n: int) -> int:
    """Adds the two before."""
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)
\`\`\`

That is all. https://example.org/bare
`;
s.answer = async (body, send) => {
  const last = body.messages.at(-1);
  const text = typeof last.content === "string" ? last.content : "picture";
  if (text === "fail") throw Object.assign(new Error("The model scripted has no projector for pictures: load one with `mmproj`"), { status: 400, code: "ERR_UNSUPPORTED" });
  if (text === "weather") { send({ tool_calls: [{ index: 0, id: "call_1", function: { name: "get_weather", arguments: "" } }] }); send({ tool_calls: [{ index: 0, function: { arguments: '{"city":' } }] }); send({ tool_calls: [{ index: 0, function: { arguments: '"Lisbon"}' } }] }); return "tool_calls"; }
  if (last.role === "tool") { send({ content: "It is 21 degrees and sunny in Lisbon." }); return "stop"; }
  send({ reasoning_content: "The user wants a table.\n\nI will write one." });
  for (const piece of rich.match(/.{1,6}/gs)) send({ content: piece });
  return "stop";
};
const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
const page = await browser.newPage({ viewport: { width: 1200, height: 860 }, colorScheme: process.argv[2] ?? "light" });
page.on("console", (m) => console.log("console", m.type(), m.text()));
page.on("pageerror", (e) => console.log("pageerror", e.message));
await page.goto(s.address);
await page.waitForFunction(() => document.querySelector("#status").textContent === "");
await page.screenshot({ path: "/tmp/look-0.png" });
async function ask(t) { await page.fill("#prompt", t); await page.press("#prompt", "Enter"); await page.locator(".assistant").last().locator(".foot .actions").waitFor(); }
await ask("Write a table of three animals and what they eat.");
await page.screenshot({ path: "/tmp/look-1.png" });
await page.evaluate(() => { document.querySelector("#main").scrollTop = 0; document.querySelector(".reasoning").open = true; });
await page.waitForTimeout(300);
await page.screenshot({ path: "/tmp/look-2.png" });
await ask("weather"); await ask("fail");
await page.waitForTimeout(300);
await page.screenshot({ path: "/tmp/look-3.png" });
await page.click("#open-settings");
await page.screenshot({ path: "/tmp/look-4.png" });
await page.keyboard.press("Escape");
await page.setViewportSize({ width: 420, height: 740 });
await page.click("#history-toggle");
await page.waitForTimeout(300);
await page.screenshot({ path: "/tmp/look-5.png" });
await browser.close(); s.close();
