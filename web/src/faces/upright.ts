// Which way is up in a face: src/mien/faces/upright.py.

import { UPRIGHT } from "../constants";
import * as geometry from "../maths/geometry";
import type { Point } from "../maths/geometry";
import { type Rgb, rotated } from "../maths/image";
import { template, warp } from "../maths/preprocess";
import type { Network } from "../pipeline/network";
import { padded } from "./passes";
import { infer } from "./yunet";

export class UprightMeasure {
  /** `detectors`: the networks that detect upright faces. */
  constructor(private readonly detectors: readonly Network[]) {}

  /**
   * The score of the face as aligned by its landmarks, less the best score of the same crop rotated by 90, 180 and
   * 270 degrees: -1 to 1.
   */
  async margin(image: Rgb, points: readonly Point[]): Promise<number> {
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
