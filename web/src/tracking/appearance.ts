// What tells people apart within a video, and where a shot ends: src/mien/tracking/appearance.py and cuts.py.

import { APPEARANCE, CUTS } from "../constants";
import { fivePoints, type Point, round, similarity } from "../maths/geometry";
import type { Rgb } from "../maths/image";
import { template, warp } from "../maths/preprocess";

/** A unit vector of the colours of hair, face and clothes. */
export function descriptor(image: Rgb, landmarks: readonly Point[]): number[] {
  const points = APPEARANCE.TEMPLATE.map(([x, y]) => [x, y] as const);
  const patch = warp(image, similarity(fivePoints(landmarks), template(points, 1)), APPEARANCE.SIDE_PX);
  const counts = [APPEARANCE.HAIR, APPEARANCE.FACE, APPEARANCE.CLOTHES].flatMap((part) => histogram(patch, part));
  const total = counts.reduce((sum, v) => sum + v, 0);
  return counts.map((v) => Math.sqrt(v / total));
}

/** The Bhattacharyya coefficient of two descriptors, 0 (nothing alike) to 1 (the same colours). */
export function likeness(one: readonly number[], other: readonly number[]): number {
  const dot = (a: readonly number[], b: readonly number[]) => a.reduce((sum, v, i) => sum + v * b[i]!, 0);
  return dot(one, other) / Math.max(Math.sqrt(dot(one, one) * dot(other, other)), 1e-9);
}

/** Of luma and two chroma differences, each part with the same weight. */
function histogram(patch: Rgb, [rows, columns]: readonly [readonly [number, number], readonly [number, number]]): number[] {
  const bins = APPEARANCE.BINS;
  const counts = new Array<number>(3 * bins).fill(0);
  for (let y = rows[0]; y < rows[1]; y++) {
    for (let x = columns[0]; x < columns[1]; x++) {
      const at = (y * patch.width + x) * 3;
      const [r, g, b] = [patch.data[at]!, patch.data[at + 1]!, patch.data[at + 2]!];
      const luma = 0.299 * r + 0.587 * g + 0.114 * b;
      [luma, (r - luma) * 1.4 + 128, (b - luma) * 1.4 + 128].forEach((value, channel) => {
        if (value < 0 || value > 256) return;
        counts[channel * bins + Math.min(Math.floor((value * bins) / 256), bins - 1)]! += 1;
      });
    }
  }
  const pixels = (rows[1] - rows[0]) * (columns[1] - columns[0]);
  return counts.map((count) => count / pixels + 1e-3);
}

/** To be called with every examined frame in order. */
export class CutDetector {
  #before: Float64Array | null = null;
  #usual: number[] = [];

  /** Whether this frame begins another shot; the first frame does. */
  isCut(image: Rgb): boolean {
    const [now, before] = [gridHistograms(image), this.#before];
    this.#before = now;
    if (before === null) return true;
    const parts = 3 * CUTS.GRID * CUTS.GRID;
    const distance = now.reduce((sum, v, i) => sum + Math.abs(v - before[i]!), 0) / parts / 2;
    const cut = distance >= CUTS.CUT_FROM && distance >= CUTS.CUT_RATIO * median(this.#usual);
    this.#usual = cut ? [] : [...this.#usual, distance].slice(-CUTS.HISTORY);
    return cut;
  }
}

/** Of luma and both chroma differences in a grid of parts; each sums to 1. */
function gridHistograms(image: Rgb): Float64Array {
  const { GRID, CELL_PX, BINS } = CUTS;
  const side = GRID * CELL_PX;
  const counts = new Float64Array(GRID * GRID * 3 * BINS);
  for (let j = 0; j < side; j++) {
    const y = round((j * (image.height - 1)) / (side - 1));
    for (let i = 0; i < side; i++) {
      const at = (y * image.width + round((i * (image.width - 1)) / (side - 1))) * 3;
      const [r, b] = [image.data[at]!, image.data[at + 2]!];
      const luma = 0.299 * r + 0.587 * image.data[at + 1]! + 0.114 * b;
      const cell = Math.floor(j / CELL_PX) * GRID + Math.floor(i / CELL_PX);
      [luma, r - luma + 128, b - luma + 128].forEach((value, channel) => {
        const level = Math.min(Math.max(Math.trunc((value * BINS) / 256), 0), BINS - 1);
        counts[(cell * 3 + channel) * BINS + level]! += 1 / (CELL_PX * CELL_PX);
      });
    }
  }
  return counts;
}

function median(values: readonly number[]): number {
  if (!values.length) return 0;
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
