// Scores of a track smoothed over time: src/mien/tracking/smoothing.py.

import { SMOOTHING } from "../constants";
import type { Face, Scores } from "../results";

/** The faces of one frame. */
export interface Moment {
  readonly timeS: number;
  readonly faces: readonly Face[];
}

/**
 * The faces of a moment with smoothed scores, from the moments around it, in any order, itself among them.
 *
 * The weight of a frame dt seconds away is exp(-(dt / SIGMA_S)^2 / 2), and 0 beyond WINDOW_S. Only frames of the same
 * track count.
 */
export function smoothed(moment: Moment, near: readonly Moment[]): Face[] {
  return moment.faces.map((face) => {
    if (face.expression === null || face.track === null) return face;
    const seen = near.flatMap((other) => {
      const same = other.faces.find((one) => one.track === face.track && one.expression !== null);
      const dt = other.timeS - moment.timeS;
      if (!same || Math.abs(dt) > SMOOTHING.WINDOW_S) return [];
      return [{ weight: Math.exp(-((dt / SMOOTHING.SIGMA_S) ** 2) / 2), scores: same.expression as Scores }];
    });
    const total = seen.reduce((sum, one) => sum + one.weight, 0);
    const labels = Object.keys(face.expression);
    const mean = (label: string) => seen.reduce((sum, one) => sum + one.weight * one.scores[label]!, 0) / total;
    return { ...face, smoothed: Object.fromEntries(labels.map((label) => [label, mean(label)])) };
  });
}
