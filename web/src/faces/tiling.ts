// Parts of an image in which small faces are searched: src/mien/faces/tiling.py.

import { TILING } from "../constants";
import { type Box, box, type Point, round } from "../maths/geometry";

/** A part of an image; `core` is the part of it whose faces are its own: cores cover the image. */
export interface Tile {
  readonly box: Box;
  readonly core: Box;
}

/** The scales, finest first, at which an image is searched in tiles, beside its copy of `sidePx`. */
export function tileScales(width: number, height: number, sidePx: number): number[] {
  const scales: number[] = [];
  for (let scale = 1; scale * Math.max(width, height) > sidePx; scale /= TILING.LEVEL_STEP) scales.push(scale);
  return scales;
}

/** Parts of equal size, up to `sidePx` a side, that cover an image. */
export function tiles(width: number, height: number, sidePx: number, overlapPx = sidePx * TILING.OVERLAP): Tile[] {
  const columns = spans(width, sidePx, overlapPx);
  return spans(height, sidePx, overlapPx).flatMap(([top, bottom, coreTop, coreBottom]) =>
    columns.map(([left, right, coreLeft, coreRight]) => ({
      box: box(left, top, right, bottom),
      core: box(coreLeft, coreTop, coreRight, coreBottom),
    })),
  );
}

/** Start and end of each tile along one side, then of its core. */
function spans(length: number, sidePx: number, overlapPx: number): [number, number, number, number][] {
  if (length <= sidePx) return [[0, length, -Infinity, Infinity]];
  const count = Math.ceil((length - sidePx) / (sidePx - overlapPx)) + 1;
  const side = Math.min(sidePx, Math.ceil((length + (count - 1) * overlapPx) / count) + 2);
  const starts = Array.from({ length: count }, (_, i) => round((i * (length - side)) / (count - 1)));
  const middle = (i: number) => (starts[i]! + starts[i - 1]! + side) / 2; // of the overlap before tile i
  return starts.map((start, i) => [
    start,
    start + side,
    i === 0 ? -Infinity : middle(i) - TILING.SLACK_PX / 2,
    i === count - 1 ? Infinity : middle(i + 1) + TILING.SLACK_PX / 2,
  ]);
}

export const inside = (b: Box, [x, y]: Point): boolean => x >= b.left && x < b.right && y >= b.top && y < b.bottom;
