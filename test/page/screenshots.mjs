// docs/page-light.png and docs/page-dark.png: npm run test:page -- --screenshots

import { join } from "node:path";

const ANSWER = `Both belong to the camelids of the Andes:

| | Llama | Alpaca |
|:--|:--|:--|
| Weight | 130 to 200 kg | 48 to 84 kg |
| Kept for | carrying | its **fibre** |
| Its young | a *cria* | a *cria*, too |

To tell them apart in code:

\`\`\`js
const isLlama = ({ ears, weight }) => ears === "banana" && weight > 100;
\`\`\`
`;

/** The answers are written for the picture: the demo model knows no tables. */
export async function takeScreenshots(browser, script, folder) {
  script.answer = async ({ messages }, tell) => {
    const { content } = messages.at(-1);
    if (content.startsWith("What is a baby")) {
      for (const word of "A baby llama is called a **cria**.".match(/ ?\S+/g)) {
        tell({ content: word });
        await new Promise((resolve) => setTimeout(resolve, 15));
      }
      return "stop";
    }
    tell({ reasoning_content: "A table is the clearest, and then a line of code." });
    for (const piece of ANSWER.match(/.{1,4}/gs)) {
      tell({ content: piece });
      await new Promise((resolve) => setTimeout(resolve, 15));
    }
    return "stop";
  };
  for (const colorScheme of ["light", "dark"]) {
    const viewport = { width: 1100, height: 760 };
    const page = await browser.newPage({ viewport, colorScheme, deviceScaleFactor: 1.5 });
    await page.goto(script.address);
    const done = page.locator(".assistant:last-child .foot .actions");
    for (const text of [
      "Name three rivers of Peru.",
      "What is a baby llama called?",
      "How does a llama differ from an alpaca?",
    ]) {
      await page.waitForFunction(() => document.querySelector("#status").textContent === "");
      if (text.startsWith("What")) await page.click("#new-chat");
      await page.fill("#prompt", text);
      await page.press("#prompt", "Enter");
      await done.waitFor();
      await page.locator("#send:not([hidden])").waitFor();
    }
    await page.screenshot({ path: join(folder, `page-${colorScheme}.png`) });
    await page.close();
  }
}
