// Before the first paint, so that a dark page does not begin white. The button is in the page's own script.
try {
  const theme = localStorage.getItem("theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // The browser keeps nothing for pages.
}
