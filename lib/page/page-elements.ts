/** An element with a class and children; a string becomes a text, whatever is in it. */
export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  className = "",
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  if (className !== "") made.className = className;
  made.append(...children);
  return made;
}

/** An element of the page's own markup. */
export function byId<T extends HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`The page has no #${id}`);
  return found as T;
}

const SVG = "http://www.w3.org/2000/svg";

/** Pictures of 24 by 24, drawn in the colour of the text. */
const ICONS = {
  shield: "M12 2 4 5v6c0 5 3.4 9.3 8 11 4.6-1.7 8-6 8-11V5l-8-3Z",
  wrench:
    "M21 6.5a5 5 0 0 1-6.6 4.7L7 18.6a2.3 2.3 0 1 1-3.2-3.2L11.2 8A5 5 0 0 1 17.5 1.4L14.3 4.6l.6 3 3 .6 3.2-3.2c.3.5.4 1 .4 1.5Z",
  copy: "M9 3h9a2 2 0 0 1 2 2v11h-2V5H9V3ZM6 7h7a2 2 0 0 1 2 2v10a2 2 0 0 1-2 2H6a2 2 0 0 1-2-2V9c0-1.1.9-2 2-2Zm0 2v10h7V9H6Z",
  edit: "M16.9 3.5a2 2 0 0 1 2.8 0l.8.8a2 2 0 0 1 0 2.8L8.6 19 3 21l2-5.6L16.9 3.5Zm1.4 1.4L6.7 16.5l-.5 1.3 1.3-.5L19.1 5.7l-.8-.8Z",
  again: "M12 4a8 8 0 0 1 7 4.1V4h2v8h-8v-2h4.7A6 6 0 1 0 18 13.5h2A8 8 0 1 1 12 4Z",
  remove: "M9 3h6v2h5v2H4V5h5V3ZM6 9h12l-.8 12H6.8L6 9Zm2.1 2 .5 8h6.8l.5-8H8.1Z",
  thought:
    "M12 3a7 7 0 0 1 4.2 12.6c-.7.6-1.2 1.2-1.2 2V19H9v-1.4c0-.8-.5-1.5-1.2-2A7 7 0 0 1 12 3Zm0 2a5 5 0 0 0-3 9c.9.7 1.6 1.7 1.9 3h2.2c.3-1.3 1-2.3 1.9-3a5 5 0 0 0-3-9Zm-3 15h6v2H9v-2Z",
  alert: "M12 3 1.8 20.5h20.4L12 3Zm0 4 6.7 11.5H5.3L12 7Zm-1 4h2v4h-2v-4Zm0 5h2v2h-2v-2Z",
} as const;

export function icon(name: keyof typeof ICONS): SVGElement {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

/** A button with an icon, which says what it does to those who do not see it, too. */
export function iconButton(
  name: keyof typeof ICONS,
  label: string,
  act: (button: HTMLButtonElement) => void,
): HTMLButtonElement {
  const button = element("button", "quiet", icon(name));
  button.type = "button";
  button.title = label;
  button.setAttribute("aria-label", label);
  button.addEventListener("click", () => act(button));
  return button;
}

export function textButton(label: string, act: () => void, className = ""): HTMLButtonElement {
  const button = element("button", className, label);
  button.type = "button";
  button.addEventListener("click", act);
  return button;
}

/** Says in the button itself that it was done, for a moment. */
export async function copyText(text: string, button: HTMLButtonElement): Promise<void> {
  const done = (await writeClipboard(text)) ? "Copied" : "Could not copy";
  const before = button.getAttribute("aria-label");
  button.setAttribute("aria-label", done);
  button.dataset.told = done;
  setTimeout(() => {
    delete button.dataset.told;
    if (before === null) button.removeAttribute("aria-label");
    else button.setAttribute("aria-label", before);
  }, 1500);
}

/** Pages that came over plain HTTP from another machine have no `navigator.clipboard`. */
async function writeClipboard(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = element("textarea", "aside");
    area.value = text;
    document.body.append(area);
    area.select();
    const copied = document.execCommand("copy");
    area.remove();
    return copied;
  }
}
