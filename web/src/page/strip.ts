// What was given to the page, as small images.

import { byId, isolated, make } from "./dom";
import type { Item } from "./items";
import { retryLabel } from "./retry";

type Act = (item: Item) => void;

export function showStrip(items: readonly Item[], current: Item | null, anonymise: boolean, select: Act, retry: Act): void {
  const strip = byId("strip");
  strip.hidden = items.length < 2;
  const focused = [...strip.children].findIndex((entry) => entry.contains(document.activeElement));
  const before = [...strip.children].findIndex((entry) => entry.querySelector("[aria-current=true]"));
  strip.replaceChildren(...items.map((item) => make("li", {}, entryOf(item, item === current, anonymise, select), retryOf(item, retry))));
  const at = current === null ? -1 : items.indexOf(current);
  if (at >= 0 && at !== before) reveal(strip, strip.children[at] as HTMLElement);
  if (focused >= 0) strip.children[focused]?.querySelector("button")?.focus();
}

/** Sideways only: the page stays where it is. */
function reveal(strip: HTMLElement, entry: HTMLElement): void {
  const [left, right] = [entry.offsetLeft - strip.offsetLeft, entry.offsetLeft - strip.offsetLeft + entry.offsetWidth];
  if (left < strip.scrollLeft) strip.scrollLeft = left;
  else if (right > strip.scrollLeft + strip.clientWidth) strip.scrollLeft = right - strip.clientWidth;
}

function entryOf(item: Item, current: boolean, anonymise: boolean, select: Act): HTMLButtonElement {
  const small = (anonymise ? item.thumbnail?.anonymised : item.thumbnail?.plain) ?? make("canvas");
  small.setAttribute("aria-hidden", "true");
  const button = make(
    "button",
    { type: "button", title: `${isolated(item.name)}: ${item.summary}`, "aria-current": String(current) },
    small,
    make("span", { dir: "auto" }, item.name),
    make("span", { class: item.error === null ? "muted" : "bad" }, item.summary),
  );
  button.onclick = () => select(item);
  return button;
}

function retryOf(item: Item, retry: Act): HTMLButtonElement | null {
  if (!item.failed) return null;
  const button = make("button", { type: "button", class: "again", "aria-label": retryLabel(item) }, "Try again");
  button.onclick = () => retry(item);
  return button;
}
