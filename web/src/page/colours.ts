// The colour of each expression, the same as in every image, plot and report: src/mien/draw/palette.py.

import { PALETTE } from "../constants";

/** A colour for each class; classes of a user's own take what is left. */
export function colourOf(label: string, labels: readonly string[]): string {
  const known: Record<string, string> = PALETTE.COLOURS;
  if (known[label]) return known[label];
  const taken = new Set(labels.map((one) => known[one]));
  const free = PALETTE.FREE.filter((colour) => !taken.has(colour));
  const others = labels.filter((one) => !known[one]);
  return free[others.indexOf(label) % free.length] ?? PALETTE.MUTED;
}

function luminance(colour: string): number {
  const linear = [1, 3, 5].map((i) => {
    const value = parseInt(colour.slice(i, i + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * linear[0]! + 0.7152 * linear[1]! + 0.0722 * linear[2]!;
}

/** Black or white, whichever reads better on this colour (WCAG 2). */
export function inkOn(colour: string): string {
  const light = luminance(colour);
  return (light + 0.05) / 0.05 >= 1.05 / (light + 0.05) ? "#000000" : "#FFFFFF";
}
