// The map of an explanation over its image.

import { OCCLUSION, PALETTE } from "../constants";
import { type Matrix, transform } from "../maths/geometry";
import { FILTERS, taps } from "../maths/image";

const STRONGEST = 0.75; // the most that a colour hides of the face
const FINER = 8; // pixels of a cell before it is laid over the image

/** What a network's probability of one class hangs on, in one face. */
export interface Explanation {
  readonly label: string;
  readonly cells: readonly number[]; // (GRID, GRID): fall of the probability where a cell of the crop is hidden
  readonly sizePx: number; // of the crop
  readonly matrix: Matrix; // from image pixels into the crop
}

/** RGBA (height, width) to be laid over the image: orange speaks for the class, blue against it. */
export function overlay(one: Explanation, width: number, height: number): Uint8ClampedArray<ArrayBuffer> {
  const side = (OCCLUSION.GRID + 2) * FINER;
  const fine = finer(one.cells);
  const scale = (FINER * OCCLUSION.GRID) / one.sizePx;
  const [orange, blue] = [bytes(PALETTE.ORANGE), bytes(PALETTE.BLUE)];
  const rgba = new Uint8ClampedArray(width * height * 4);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [u, v] = transform(one.matrix, [x + 0.5, y + 0.5]);
      const share = sample(fine, side, u * scale + FINER, v * scale + FINER);
      if (share === 0) continue;
      const colour = share > 0 ? orange : blue;
      const at = (y * width + x) * 4;
      for (let c = 0; c < 3; c++) rgba[at + c] = colour[c]!;
      rgba[at + 3] = 255 * STRONGEST * Math.min(Math.abs(share), 1);
    }
  }
  return rgba;
}

/** The map from -1 to 1 with a border of nothing, enlarged by Pillow's bicubic filter. */
function finer(cells: readonly number[]): Float64Array {
  const from = OCCLUSION.GRID + 2;
  const to = from * FINER;
  const most = Math.max(...cells.map(Math.abs), 1e-6);
  const at = (row: number, column: number) => {
    const inside = row > 0 && column > 0 && row < from - 1 && column < from - 1;
    return inside ? cells[(row - 1) * OCCLUSION.GRID + column - 1]! / most : 0;
  };
  const { starts, weights } = taps(FILTERS.bicubic, from, 0, from, to);
  const along = (value: (i: number) => number, i: number) =>
    weights[i]!.reduce((sum, weight, k) => sum + weight * value(starts[i]! + k), 0);
  const wide = Array.from({ length: from * to }, (_, i) => along((x) => at(Math.floor(i / to), x), i % to));
  return Float64Array.from({ length: to * to }, (_, i) => along((y) => wide[y * to + (i % to)]!, Math.floor(i / to)));
}

function sample(values: Float64Array, side: number, x: number, y: number): number {
  if (x < 0 || y < 0 || x >= side || y >= side) return 0;
  const [left, top] = [Math.floor(x - 0.5), Math.floor(y - 0.5)];
  const at = (column: number, row: number) =>
    values[Math.min(Math.max(row, 0), side - 1) * side + Math.min(Math.max(column, 0), side - 1)]!;
  const [dx, dy] = [x - 0.5 - left, y - 0.5 - top];
  const upper = at(left, top) * (1 - dx) + at(left + 1, top) * dx;
  return upper * (1 - dy) + (at(left, top + 1) * (1 - dx) + at(left + 1, top + 1) * dx) * dy;
}

const bytes = (colour: string): number[] => [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16));
