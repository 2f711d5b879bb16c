// Trying again what failed: the file that is shown, or all of them.

import { byId, isolated } from "./dom";
import type { Item } from "./items";

export function showRetry(items: readonly Item[], current: Item | null): void {
  const count = items.filter((item) => item.failed).length;
  const [one, all, focused] = [byId("again"), byId("again-all"), document.activeElement];
  one.hidden = !current?.failed;
  if (current) one.setAttribute("aria-label", retryLabel(current));
  all.hidden = count < 2; // the strip offers each of them
  all.textContent = `Try all ${count} failed files again`;
  if (focused instanceof HTMLElement && focused.hidden) byId("view-title").focus(); // who pressed it stays near it
}

export const retryLabel = (item: Item): string => `Try again: ${isolated(item.name)}`;
