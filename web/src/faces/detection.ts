// What a network detects: src/mien/faces/__init__.py and the arrays of src/mien/faces/passes.py.

import type { Box, Matrix, Point } from "../maths/geometry";
import { transform } from "../maths/geometry";

/** One face detected in an image. */
export interface Detection {
  readonly box: Box;
  readonly score: number; // 0..1
  readonly points: readonly Point[]; // eyes, nose, mouth corners
}

export const longerSide = (b: Box): number => Math.max(b.right - b.left, b.bottom - b.top);

/** A detection where `matrix`, without rotation, takes it. */
export function moved(face: Detection, matrix: Matrix): Detection {
  const [left, top] = transform(matrix, [face.box.left, face.box.top]);
  const [right, bottom] = transform(matrix, [face.box.right, face.box.bottom]);
  return { box: { left, top, right, bottom }, score: face.score, points: face.points.map((p) => transform(matrix, p)) };
}
