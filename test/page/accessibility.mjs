// What can be seen of a page's accessibility by its elements. It runs in the page and returns what is wrong, in words.

export function findBarriers() {
  const found = [];
  const shown = (element) => element.checkVisibility({ visibilityProperty: true });
  const textOf = (ids) =>
    (ids ?? "")
      .split(/\s+/)
      .filter(Boolean)
      .map((id) => document.getElementById(id)?.textContent?.trim() ?? "")
      .join(" ");
  const nameOf = (element) =>
    element.getAttribute("aria-label") ||
    textOf(element.getAttribute("aria-labelledby")) ||
    [...(element.labels ?? [])].map((label) => label.textContent.trim()).join(" ") ||
    (element.matches("button, a, summary") ? element.textContent.trim() : "");
  const told = (element) =>
    `<${element.tagName.toLowerCase()} id="${element.id}" class="${element.className}">`;

  for (const element of document.querySelectorAll(
    "button, a[href], input, select, textarea, summary",
  )) {
    if (shown(element) && nameOf(element) === "") found.push(`${told(element)} has no name`);
  }
  for (const element of document.querySelectorAll(
    "[role=group], [role=progressbar], dialog, nav, section, ol#chat",
  )) {
    if (nameOf(element) === "") found.push(`${told(element)} has no name`);
  }
  for (const picture of document.querySelectorAll("img")) {
    if (!picture.hasAttribute("alt")) found.push(`${told(picture)} has no alt`);
  }
  for (const svg of document.querySelectorAll("svg")) {
    if (svg.getAttribute("aria-hidden") !== "true") found.push("an svg is not hidden");
  }
  for (const name of ["aria-labelledby", "aria-describedby", "aria-controls", "for"]) {
    for (const element of document.querySelectorAll(`[${name}]`)) {
      for (const id of element.getAttribute(name).split(/\s+/)) {
        if (document.getElementById(id) === null) found.push(`${told(element)}: no #${id}`);
      }
    }
  }
  const ids = [...document.querySelectorAll("[id]")].map(({ id }) => id);
  for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) found.push(`#${id} twice`);
  for (const element of document.querySelectorAll("[tabindex]")) {
    if (element.tabIndex > 0) found.push(`${told(element)} has a place of its own in the order`);
  }
  for (const selector of ["main", "header", "nav", "footer", "h1"]) {
    const count = document.querySelectorAll(
      `body > ${selector}, body > header > ${selector}`,
    ).length;
    if (count !== 1) found.push(`${count} of ${selector}`);
  }
  if (document.documentElement.lang !== "en") found.push("no language");
  let level = 0;
  for (const heading of document.querySelectorAll("h1, h2, h3, h4, h5, h6")) {
    if (!shown(heading)) continue;
    const own = Number(heading.tagName[1]);
    if (own > level + 1) found.push(`h${own} behind h${level}: ${heading.textContent}`);
    level = own;
  }
  for (const button of document.querySelectorAll("button")) {
    const { width, height } = button.getBoundingClientRect();
    if (shown(button) && (width < 24 || height < 22)) {
      found.push(`${told(button)} is ${width} by ${height}`);
    }
  }
  for (const scrolled of document.querySelectorAll("pre, .scroll")) {
    const reachable = scrolled.tabIndex === 0;
    if (scrolled.scrollWidth > scrolled.clientWidth && !reachable) {
      found.push(`${told(scrolled)} can be scrolled by mouse alone`);
    }
  }
  return found;
}
