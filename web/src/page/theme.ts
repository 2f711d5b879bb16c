// Light or dark: as the system says, or as was chosen.

import { byId } from "./dom";

const KEPT = "mien theme";
const dark = matchMedia("(prefers-color-scheme: dark)");

export function startTheme(): void {
  const button = byId("theme");
  let chosen = recalled();
  const apply = () => {
    const now = chosen ?? (dark.matches ? "dark" : "light");
    document.documentElement.dataset.theme = now;
    button.textContent = now === "dark" ? "☀ Light" : "☾ Dark";
    button.setAttribute("aria-label", now === "dark" ? "Use light colours" : "Use dark colours");
  };
  button.onclick = () => {
    chosen = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
    try {
      localStorage.setItem(KEPT, chosen);
    } catch {
      // holds until the page is closed
    }
    apply();
  };
  dark.addEventListener("change", apply);
  apply();
}

function recalled(): string | null {
  try {
    return localStorage.getItem(KEPT);
  } catch {
    return null;
  }
}
