// 68 landmarks in one pass or two: src/mien/faces/landmarks.py.

import { LANDMARKS } from "../constants";
import * as geometry from "../maths/geometry";
import type { Box, Matrix, Point } from "../maths/geometry";
import type { Rgb } from "../maths/image";
import { cropMatrix, faceCrop, normalise, type Preprocess, warp } from "../maths/preprocess";
import type { Network } from "../pipeline/network";

const PASSES = 2;

export class Landmarker {
  constructor(
    private readonly network: Network,
    private readonly inputs: Preprocess,
  ) {}

  /** N face boxes -> the landmarks of each in image pixels. */
  async locate(image: Rgb, boxes: readonly Box[]): Promise<Point[][]> {
    if (!boxes.length) return [];
    const size = this.inputs.size_px;
    const upright = faceCrop(size);
    const matrices = boxes.map((b) => geometry.boxOntoSquare(geometry.grown(geometry.squared(onGrid(b)), LANDMARKS.BOX_GROWTH), size));
    const points: Point[][] = boxes.map(() => []);
    let rows = boxes.map((_, i) => i);
    for (let pass = 0; pass < PASSES && rows.length; pass++) {
      const seen = [...matrices];
      const shares = await this.#shares(rows.map((row) => warp(image, matrices[row]!, size)));
      rows.forEach((row, i) => {
        const back = geometry.invert(seen[row]!);
        points[row] = shares[i]!.map(([x, y]) => geometry.transform(back, [x * size, y * size]));
        matrices[row] = cropMatrix(upright, points[row]!);
      });
      rows = rows.filter((row) => !isClose(seen[row]!, matrices[row]!, size));
    }
    return points;
  }

  /** Crops -> landmarks as shares of the crop's side. */
  async #shares(crops: readonly Rgb[]): Promise<Point[][]> {
    const size = this.inputs.size_px;
    const out = await this.network.run(normalise(this.inputs, crops), [crops.length, 3, size, size]);
    const at = (i: number) => geometry.round(out[i]! * LANDMARKS.POINT_STEPS) / LANDMARKS.POINT_STEPS;
    return crops.map((_, n) =>
      Array.from({ length: 68 }, (_, i): Point => [at((n * 68 + i) * 2), at((n * 68 + i) * 2 + 1)]),
    );
  }
}

/** The box with corners at multiples of a power of two pixels, up to 1 / BOX_STEPS of its longer side. */
function onGrid(b: Box): Box {
  const side = Math.max(geometry.width(b), geometry.height(b), 1e-6);
  const step = 2 ** Math.floor(Math.log2(side / LANDMARKS.BOX_STEPS));
  const near = (value: number) => step * geometry.round(value / step);
  return geometry.box(near(b.left), near(b.top), near(b.right), near(b.bottom));
}

/** Whether a crop by the matrix `seen` shows a face nearly as that by `upright`, both of this size. */
function isClose(seen: Matrix, upright: Matrix, size: number): boolean {
  const onto = geometry.compose(upright, geometry.invert(seen));
  const scale = Math.hypot(onto[0], onto[3]);
  const rollDeg = (Math.atan2(onto[3], onto[0]) * 180) / Math.PI;
  const [x, y] = geometry.transform(onto, [size / 2, size / 2]);
  const shift = Math.max(Math.abs(x - size / 2), Math.abs(y - size / 2)) / size;
  const closeInSize = scale >= 1 / LANDMARKS.CLOSE_SCALE && scale <= LANDMARKS.CLOSE_SCALE;
  return Math.abs(rollDeg) <= LANDMARKS.CLOSE_ROLL_DEG && closeInSize && shift <= LANDMARKS.CLOSE_SHIFT;
}
