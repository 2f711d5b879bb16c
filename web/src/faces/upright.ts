// Which way is up in a face: src/mien/faces/upright.py.

import { UPRIGHT } from "../constants";
import * as geometry from "../maths/geometry";
import type { Box, Point } from "../maths/geometry";
import { type Rgb, rotated } from "../maths/image";
import { template, warp } from "../maths/preprocess";
import type { Network } from "../pipeline/network";
import { padded } from "./passes";
import { normalised, quarters, type RollNetwork, upDeg } from "./roll";
import { infer } from "./yunet";

export class UprightMeasure {
  /** `detectors`: the networks that detect upright faces. */
  constructor(
    private readonly roll: RollNetwork,
    private readonly detectors: readonly Network[],
  ) {}

  /** As `RollNetwork.probabilities`: the mean of those of the box and of its middle, where the box alone is not clear. */
  async rolls(image: Rgb, boxes: readonly Box[]): Promise<number[][]> {
    const rolls = await this.roll.probabilities(image, boxes);
    const unclear = rolls.flatMap((row, i) => {
      const [best, second] = quarters(row, 0).sort((a, b) => b - a) as [number, number];
      return best - second < UPRIGHT.CLEAR_ROLL ? [i] : [];
    });
    const middles = unclear.map((i) => geometry.grown(boxes[i]!, UPRIGHT.MIDDLE));
    const others = await this.roll.probabilities(image, middles);
    unclear.forEach((i, k) => (rolls[i] = rolls[i]!.map((value, bin) => value + others[k]![bin]!)));
    return rolls.map(normalised);
  }

  /**
   * The probability that up is where the landmarks have it, less the highest of the three directions at right angles
   * to it; in doubt, the margin of the detectors is added: -1 to 1. `rolls`: of the face in the image.
   */
  async margin(image: Rgb, rolls: readonly number[], landmarks: readonly Point[]): Promise<number> {
    const [upright, ...others] = quarters(rolls, upDeg(landmarks)) as [number, number, number, number];
    let margin = upright - Math.max(0, ...others);
    const [low, high] = UPRIGHT.DOUBTFUL_ROLL;
    if (margin > low && margin < high) margin += UPRIGHT.DETECTOR_WEIGHT * (await this.#byDetectors(image, landmarks));
    return Math.min(Math.max(margin, -1), 1);
  }

  /** The score of the face as aligned by its landmarks, less the best at the three other quarter turns. */
  async #byDetectors(image: Rgb, points: readonly Point[]): Promise<number> {
    const side = UPRIGHT.SIDE_PX;
    const matrix = geometry.similarity(geometry.fivePoints(points), template(UPRIGHT.TEMPLATE, side));
    const crop = warp(image, matrix, side);
    const margins: number[] = [];
    for (const detector of this.detectors) {
      const scores: number[] = [];
      for (let turns = 0; turns < 4; turns++) scores.push(await score(detector, rotated(crop, turns)));
      margins.push(scores[0]! - Math.max(...scores.slice(1)));
      if (margins[0]! >= UPRIGHT.CLEAR_FROM) break;
    }
    return margins.reduce((sum, v) => sum + v, 0) / margins.length;
  }
}

/** The best score of a face in the middle of a crop; none: 0. */
async function score(detector: Network, crop: Rgb): Promise<number> {
  const faces = await infer(detector, padded(crop), UPRIGHT.LOWEST_SCORE);
  const middle = UPRIGHT.SIDE_PX / 2;
  const central = faces.filter(({ box }) => {
    const [x, y] = geometry.centre(box);
    return Math.max(Math.abs(x - middle), Math.abs(y - middle)) < UPRIGHT.OFF_CENTRE_PX;
  });
  return Math.max(0, ...central.map((face) => face.score));
}
