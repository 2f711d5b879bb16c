// The roll of faces, read from their boxes by a network: src/mien/faces/roll.py.

import { ROLL } from "../constants";
import * as geometry from "../maths/geometry";
import type { Box, Point } from "../maths/geometry";
import type { Rgb } from "../maths/image";
import { normalise, type Preprocess, warp } from "../maths/preprocess";
import type { Network } from "../pipeline/network";

export class RollNetwork {
  constructor(
    private readonly network: Network,
    private readonly inputs: Preprocess,
  ) {}

  /** N face boxes -> (N, 24): the probabilities of rolls of 0, 15, ... degrees clockwise. */
  async probabilities(image: Rgb, boxes: readonly Box[]): Promise<number[][]> {
    const size = this.inputs.size_px;
    const rows: number[][] = [];
    for (let start = 0; start < boxes.length; start += ROLL.BATCH) {
      const crops = boxes.slice(start, start + ROLL.BATCH).map((face) => {
        const around = geometry.grown(geometry.squared(face), ROLL.CROP);
        return warp(image, geometry.boxOntoSquare(around, size), size);
      });
      const logits = await this.network.run(normalise(this.inputs, crops), [crops.length, 3, size, size]);
      crops.forEach((_, n) => rows.push(softmax(logits.subarray(n * ROLL.BINS, (n + 1) * ROLL.BINS))));
    }
    return rows;
  }
}

function softmax(logits: Float32Array): number[] {
  const most = Math.max(...logits);
  return normalised(Array.from(logits, (value) => Math.exp(value - most)));
}

/** Divided by their sum. */
export function normalised(values: readonly number[]): number[] {
  const sum = values.reduce((total, value) => total + value, 0);
  return values.map((value) => value / sum);
}

/** The probabilities that up lies within 52 degrees of a direction, and of those 90, 180 and 270 degrees clockwise. */
export function quarters(rolls: readonly number[], upDeg: number): number[] {
  const middle = geometry.round((upDeg / 360) * ROLL.BINS);
  return [0, 1, 2, 3].map((turn) => {
    let sum = 0;
    for (let i = -ROLL.HALF_WINDOW; i <= ROLL.HALF_WINDOW; i++) {
      const bin = middle + (turn * ROLL.BINS) / 4 + i;
      sum += rolls[((bin % ROLL.BINS) + ROLL.BINS) % ROLL.BINS]!;
    }
    return sum;
  });
}

/** 68 landmarks -> degrees clockwise from upright, from the mouth to the eyes. */
export function upDeg(landmarks: readonly Point[]): number {
  const points = geometry.fivePoints(landmarks);
  const [eyes, mouth] = [geometry.meanPoint(points.slice(0, 2)), geometry.meanPoint(points.slice(3))];
  return (Math.atan2(eyes[0] - mouth[0], mouth[1] - eyes[1]) * 180) / Math.PI;
}
