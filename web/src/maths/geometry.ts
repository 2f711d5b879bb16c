// Boxes, points and the similarity transform: src/mien/geometry.py.
//
// Coordinates are in pixels, x to the right and y down, origin at the outer corner of the top left pixel.

export type Point = readonly [number, number];

/** (2, 3), row by row: x' = a x + b y + c, y' = d x + e y + f. */
export type Matrix = readonly [number, number, number, number, number, number];

/** Corners in pixels; right and bottom edges are outside. */
export interface Box {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

export const box = (left: number, top: number, right: number, bottom: number): Box => ({ left, top, right, bottom });
export const width = (b: Box): number => b.right - b.left;
export const height = (b: Box): number => b.bottom - b.top;
export const area = (b: Box): number => Math.max(width(b), 0) * Math.max(height(b), 0);
export const centre = (b: Box): Point => [(b.left + b.right) / 2, (b.top + b.bottom) / 2];

/** Same centre, sides times `factor`. */
export function grown(b: Box, factor: number): Box {
  const dx = (width(b) * (factor - 1)) / 2;
  const dy = (height(b) * (factor - 1)) / 2;
  return box(b.left - dx, b.top - dy, b.right + dx, b.bottom + dy);
}

/** The square with the same centre and the longer side. */
export function squared(b: Box): Box {
  const half = Math.max(width(b), height(b)) / 2;
  const [x, y] = centre(b);
  return box(x - half, y - half, x + half, y + half);
}

/** The part inside an image of this size. */
export function clipped(b: Box, wide: number, high: number): Box {
  const within = (v: number, most: number) => Math.min(Math.max(v, 0), most);
  return box(within(b.left, wide), within(b.top, high), within(b.right, wide), within(b.bottom, high));
}

/** Python's and numpy's rounding: halves to the even neighbour. */
export function round(value: number): number {
  const low = Math.floor(value);
  const rest = value - low;
  if (rest !== 0.5) return Math.round(value);
  return low % 2 === 0 ? low : low + 1;
}

/** Intersection over union. */
export function iou(one: Box, other: Box): number {
  const wide = Math.min(one.right, other.right) - Math.max(one.left, other.left);
  const high = Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top);
  const shared = Math.max(wide, 0) * Math.max(high, 0);
  const both = width(one) * height(one) + width(other) * height(other) - shared;
  return shared / Math.max(both, 1e-12);
}

/** Greedy non-maximum suppression: indices kept, best first. */
export function nms(boxes: readonly Box[], scores: readonly number[], iouThreshold: number): number[] {
  let order = scores.map((_, i) => i).sort((a, b) => scores[b]! - scores[a]! || a - b);
  const kept: number[] = [];
  while (order.length) {
    const [best, ...rest] = order as [number, ...number[]];
    kept.push(best);
    order = rest.filter((i) => iou(boxes[best]!, boxes[i]!) <= iouThreshold);
  }
  return kept;
}

const mean = (values: readonly number[]): number => values.reduce((sum, v) => sum + v, 0) / values.length;

export function meanPoint(points: readonly Point[]): Point {
  return [mean(points.map((p) => p[0])), mean(points.map((p) => p[1]))];
}

/** The least-squares rotation, uniform scale and shift, without flipping, of points onto points (Umeyama, 1991). */
export function similarity(source: readonly Point[], target: readonly Point[]): Matrix {
  const [sx, sy] = meanPoint(source);
  const [tx, ty] = meanPoint(target);
  let spread = 0;
  let a = 0;
  let b = 0;
  source.forEach((point, i) => {
    const [x, y] = [point[0] - sx, point[1] - sy];
    const [u, v] = [target[i]![0] - tx, target[i]![1] - ty];
    spread += x * x + y * y;
    a += x * u + y * v;
    b += x * v - y * u;
  });
  if (spread < 1e-12) throw new Error("a similarity transform needs two different points");
  a /= spread;
  b /= spread;
  return [a, -b, tx - (a * sx - b * sy), b, a, ty - (b * sx + a * sy)];
}

export function transform(m: Matrix, [x, y]: Point): Point {
  return [m[0] * x + m[1] * y + m[2], m[3] * x + m[4] * y + m[5]];
}

export const determinant = (m: Matrix): number => m[0] * m[4] - m[1] * m[3];

/** The matrix that undoes a matrix. */
export function invert(m: Matrix): Matrix {
  const d = determinant(m);
  const [a, b, c, e] = [m[4] / d, -m[1] / d, -m[3] / d, m[0] / d];
  return [a, b, -(a * m[2] + b * m[5]), c, e, -(c * m[2] + e * m[5])];
}

/** First `inner`, then `outer`. */
export function compose(outer: Matrix, inner: Matrix): Matrix {
  const [a, b, c, d, e, f] = outer;
  const [p, q, r, s, t, u] = inner;
  return [a * p + b * s, a * q + b * t, a * r + b * u + c, d * p + e * s, d * q + e * t, d * r + e * u + f];
}

export const scaled = (m: Matrix, factor: number): Matrix => m.map((v) => v * factor) as unknown as Matrix;

/** The matrix that takes `b`, made square, onto a crop of `sizePx` pixels. */
export function boxOntoSquare(b: Box, sizePx: number): Matrix {
  const square = squared(b);
  const scale = sizePx / Math.max(width(square), 1e-6);
  return [scale, 0, -square.left * scale, 0, scale, -square.top * scale];
}

/** The matrix from an image of this size into `rotated(image, turns)`: counter-clockwise. */
export function quarterTurn(turns: number, wide: number, high: number): Matrix {
  const matrices: Matrix[] = [
    [1, 0, 0, 0, 1, 0],
    [0, 1, 0, -1, 0, wide],
    [-1, 0, wide, 0, -1, high],
    [0, -1, high, 1, 0, 0],
  ];
  return matrices[turns]!;
}

/** The box around a transformed box. */
export function transformBox(m: Matrix, b: Box): Box {
  const [one, other] = [transform(m, [b.left, b.top]), transform(m, [b.right, b.bottom])];
  return box(
    Math.min(one[0], other[0]),
    Math.min(one[1], other[1]),
    Math.max(one[0], other[0]),
    Math.max(one[1], other[1]),
  );
}

/** The box around points. */
export function around(points: readonly Point[]): Box {
  const [xs, ys] = [points.map((p) => p[0]), points.map((p) => p[1])];
  return box(Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys));
}

/** 68 landmarks -> eye centres, nose tip, mouth corners, left to right as seen in the image. */
export function fivePoints(landmarks: readonly Point[]): Point[] {
  const [nose, left, right] = [landmarks[30]!, landmarks[48]!, landmarks[54]!];
  return [meanPoint(landmarks.slice(36, 42)), meanPoint(landmarks.slice(42, 48)), nose, left, right];
}

/** The rotation (3, 3), row by row, of a pose, in axes x right, y down, z away from the camera. */
export function rotationMatrix(yawDeg: number, pitchDeg: number, rollDeg: number): number[] {
  const rad = Math.PI / 180;
  const [cy, sy] = [Math.cos(yawDeg * rad), Math.sin(yawDeg * rad)];
  const [cp, sp] = [Math.cos(pitchDeg * rad), Math.sin(pitchDeg * rad)];
  const [cr, sr] = [Math.cos(rollDeg * rad), Math.sin(rollDeg * rad)];
  const yaw = [cy, 0, -sy, 0, 1, 0, sy, 0, cy];
  const pitch = [1, 0, 0, 0, cp, sp, 0, -sp, cp];
  const roll = [cr, -sr, 0, sr, cr, 0, 0, 0, 1];
  return multiply3(multiply3(yaw, pitch), roll);
}

/** Product of two (3, 3) matrices, row by row. */
export function multiply3(a: readonly number[], b: readonly number[]): number[] {
  return Array.from({ length: 9 }, (_, i) => {
    const [row, column] = [3 * Math.floor(i / 3), i % 3];
    return a[row]! * b[column]! + a[row + 1]! * b[column + 3]! + a[row + 2]! * b[column + 6]!;
  });
}
