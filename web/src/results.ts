// What prediction returns: src/mien/results.py. Faces have the fields of `Face.to_dict`, as the service sends them.

import { RESULTS } from "./constants";
import type { Point } from "./maths/geometry";

export interface Pose {
  readonly yaw_deg: number;
  readonly pitch_deg: number;
  readonly roll_deg: number;
}

export interface Quality {
  readonly eye_px: number;
  readonly off_axis_deg: number;
  readonly sharpness: number;
  readonly light: number;
  readonly contrast: number;
  readonly clipped: number;
  readonly upright: number;
}

/** Probabilities by class, in the order of the label set. */
export type Scores = Readonly<Record<string, number>>;

export interface Face {
  readonly box: readonly [number, number, number, number]; // left, top, right, bottom in image pixels
  readonly detection: number | null;
  readonly landmarks: readonly Point[] | null;
  readonly pose: Pose | null;
  readonly quality: (Quality & { readonly flags: readonly string[] }) | null;
  readonly expression: Scores | null;
  readonly certain: boolean | null;
  readonly confidence_threshold: number | null;
  readonly track: number | null;
  readonly smoothed: Scores | null;
}

/** The words of `FLAGS` for what is wrong with a face. */
export function flagsOf(quality: Quality): string[] {
  const exceeded: Record<string, boolean> = {
    small: quality.eye_px < RESULTS.SMALL_BELOW_PX,
    "off-axis": quality.off_axis_deg > RESULTS.OFF_AXIS_ABOVE_DEG,
    blurred: quality.sharpness < RESULTS.BLURRED_BELOW,
    dark: quality.light < RESULTS.DARK_BELOW,
    flat: quality.contrast < RESULTS.FLAT_BELOW,
    overexposed: quality.clipped > RESULTS.OVEREXPOSED_ABOVE,
    orientation: quality.upright < RESULTS.UP_UNKNOWN_BELOW,
  };
  return RESULTS.FLAGS.filter((flag) => exceeded[flag]);
}

/** Classes with probabilities, most probable first. */
export const ranked = (scores: Scores): [string, number][] => Object.entries(scores).sort((a, b) => b[1] - a[1]);

/** The most probable class and its probability. */
export const top = (scores: Scores): [string, number] => ranked(scores)[0]!;

/** "97%"; never "100%" or "0%", which no network can promise. */
export function percent(probability: number): string {
  if (probability > 0.994) return ">99%";
  return probability < 0.01 ? "<1%" : `${Math.round(100 * probability)}%`;
}

/** Confident enough, on a face without flags; null where no confidence threshold is stated. */
export function isCertain(scores: Scores, threshold: number | null, flags: readonly string[]): boolean | null {
  return threshold === null ? null : top(scores)[1] >= threshold && !flags.length;
}

/** Why a prediction is not to be used as it is, in words: quality problems, or else its low confidence. */
export function reasons(face: Face): string[] {
  const reason: Record<string, string> = RESULTS.FLAG_REASONS;
  const words = (face.quality?.flags ?? []).map((flag) => reason[flag] ?? flag);
  if (face.certain !== false || words.length || face.confidence_threshold === null) return words;
  return [`below ${Number((100 * face.confidence_threshold).toPrecision(6))}%`];
}
