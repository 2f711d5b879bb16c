// What is going on, and what went wrong.

import { byId } from "./dom";

/** null: nothing is going on. `share`: how much of it is done, null where that is not known. */
export function showProgress(text: string | null, share: number | null = null): void {
  byId("progress").hidden = text === null;
  if (text === null) return;
  byId("progress-text").textContent = text;
  const bar = byId<HTMLProgressElement>("progress-bar");
  if (share === null) bar.removeAttribute("value");
  else bar.value = share;
}

/** null: nothing went wrong. */
export function showProblem(text: string | null): void {
  byId("problem").hidden = text === null;
  byId("problem").textContent = text === null ? "" : capitalised(text);
}

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

const capitalised = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
