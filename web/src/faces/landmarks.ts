// 68 landmarks in two passes: src/mien/faces/landmarks.py.

import { LANDMARKS } from "../constants";
import * as geometry from "../maths/geometry";
import type { Box, Point } from "../maths/geometry";
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
    let matrices = boxes.map((b) => geometry.boxOntoSquare(geometry.grown(geometry.squared(onGrid(b)), LANDMARKS.BOX_GROWTH), size));
    let points: Point[][] = [];
    for (let pass = 0; pass < PASSES; pass++) {
      const shares = await this.#shares(matrices.map((matrix) => warp(image, matrix, size)));
      points = shares.map((face, i) => {
        const back = geometry.invert(matrices[i]!);
        return face.map(([x, y]) => geometry.transform(back, [x * size, y * size]));
      });
      matrices = points.map((face) => cropMatrix(upright, face));
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
