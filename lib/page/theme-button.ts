import { KeptValue } from "./kept-values.js";
import { byId } from "./page-elements.js";

const THEMES = ["system", "light", "dark"];
/** Read by public/theme.js, too, before anything is shown. */
const kept = new KeptValue("theme");

/** Light, dark, or as the system has it, which is the default. The choice stays. */
export function initThemeButton(): void {
  const button = byId<HTMLButtonElement>("theme");
  const root = document.documentElement;
  const show = (theme: string) => {
    if (theme === "system") delete root.dataset.theme;
    else root.dataset.theme = theme;
    const label = `Theme: ${theme === "system" ? "as the system" : theme}`;
    button.title = label;
    button.setAttribute("aria-label", label);
  };
  const now = () => root.dataset.theme ?? "system";
  show(now());
  button.addEventListener("click", () => {
    const next = THEMES[(THEMES.indexOf(now()) + 1) % THEMES.length] as string;
    kept.value = next;
    show(next);
  });
}
