// Our detector, YuNet's network: src/mien/faces/yunet.py.

import { DETECTORS, YUNET } from "../constants";
import type { Box, Point } from "../maths/geometry";
import type { Network } from "../pipeline/network";
import type { Detection } from "./detection";

/** Planes (3, H, W) of RGB 0..255 whose sides are multiples of 32. */
export interface Planes {
  readonly width: number;
  readonly height: number;
  readonly data: Float32Array<ArrayBuffer>;
}

/** The faces above a threshold that one run of the network detects, before NMS. The planes are changed. */
export async function infer(
  network: Network,
  x: Planes,
  threshold: number = DETECTORS.DETECTION_THRESHOLD,
): Promise<Detection[]> {
  const scale = Math.fround(1 / 255);
  for (let i = 0; i < x.data.length; i++) x.data[i] = x.data[i]! * scale;
  return decode(await network.run(x.data, [1, 3, x.height, x.width]), x.height, x.width, threshold);
}

/** The network's outputs (16, N) to an image of this size -> faces; what the rows are says the Python file. */
export function decode(outputs: Float32Array, height: number, width: number, threshold: number): Detection[] {
  const count = outputs.length / 16;
  const at = (row: number, cell: number) => outputs[row * count + cell]!;
  const faces: Detection[] = [];
  let cell = 0;
  for (const stride of YUNET.STRIDES) {
    const [rows, columns] = [Math.floor(height / stride), Math.floor(width / stride)];
    for (let i = 0; i < rows * columns; i++, cell++) {
      const score = 1 / Math.sqrt((1 + Math.exp(-logit(at(0, cell)))) * (1 + Math.exp(-logit(at(1, cell)))));
      if (score <= threshold) continue;
      const [column, row] = [i % columns, Math.floor(i / columns)];
      const [x, y] = [(column + at(2, cell)) * stride, (row + at(3, cell)) * stride];
      const [wide, high] = [(Math.exp(at(4, cell)) * stride) / 2, (Math.exp(at(5, cell)) * stride) / 2];
      const box: Box = { left: x - wide, top: y - high, right: x + wide, bottom: y + high };
      const points = Array.from({ length: 5 }, (_, k): Point => [
        (column + at(6 + 2 * k, cell)) * stride,
        (row + at(7 + 2 * k, cell)) * stride,
      ]);
      faces.push({ box, score, points });
    }
  }
  return faces;
}

const logit = (value: number): number => Math.min(Math.max(value, -40), 40);
