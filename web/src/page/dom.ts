// Elements by id, and new ones.

/** The element of the page with this id. */
export function byId<T extends HTMLElement = HTMLElement>(id: string): T {
  const element = document.getElementById(id);
  if (!element) throw new Error(`the page has no element ${id}`);
  return element as T;
}

type Child = Node | string | null;

/** A new element; `properties` are attributes, those that begin with "--" are of its style. */
export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  properties: Readonly<Record<string, string>> = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("--")) element.style.setProperty(name, value);
    else element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

export function context(canvas: HTMLCanvasElement): CanvasRenderingContext2D {
  const drawing = canvas.getContext("2d", { willReadFrequently: true });
  if (!drawing) throw new Error("this browser gives the page no canvas; close other tabs and load it again");
  return drawing;
}

/** A name inside a sentence: one in Arabic or Hebrew turns no word or number around it. */
export const isolated = (name: string): string => `\u2068${name}\u2069`;

/** Tell those who do not see the page. */
export function announce(text: string): void {
  byId("announce").textContent = text;
}

/** Offer a file for download. */
export function download(content: Blob, name: string): void {
  const address = URL.createObjectURL(content);
  make("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
