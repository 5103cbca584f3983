// Light, dark, or as the system has it, which is the default. The choice stays.

const THEMES = ["system", "light", "dark"];
const button = document.querySelector("#theme");

function show(theme) {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  const label = `Theme: ${theme === "system" ? "as the system" : theme}`;
  button.title = label;
  button.setAttribute("aria-label", label);
}

let theme = localStorage.getItem("theme") ?? "system";
show(theme);
button.addEventListener("click", () => {
  theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
  localStorage.setItem("theme", theme);
  show(theme);
});
