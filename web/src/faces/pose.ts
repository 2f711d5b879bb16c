// Head rotation from 68 landmarks: src/mien/faces/pose.py.

import { POSE } from "../constants";
import { meanPoint, multiply3, type Point, rotationMatrix } from "../maths/geometry";
import type { Pose } from "../results";

const DEG = 180 / Math.PI;

/** Landmarks in pixels -> rotation in degrees: yaw to the image's right, pitch up, roll clockwise. */
export function headPose(landmarks: readonly Point[]): Pose {
  const rotation = rotationOf(POSE.POINTS.map((i) => landmarks[i]!));
  const ahead = [-rotation[2]!, -rotation[5]!, -rotation[8]!]; // the direction of the nose, in camera axes
  const yaw = Math.atan2(ahead[0]!, -ahead[2]!) * DEG;
  const pitch = Math.asin(Math.min(Math.max(-ahead[1]!, -1), 1)) * DEG;
  const rest = multiply3(transposed(rotationMatrix(yaw, pitch, 0)), rotation);
  return { yaw_deg: yaw, pitch_deg: pitch, roll_deg: Math.atan2(rest[3]!, rest[0]!) * DEG };
}

/** The rotation (3, 3) whose first two rows, scaled, map the mean face onto the points best. */
function rotationOf(points: readonly Point[]): number[] {
  const [cx, cy] = meanPoint(points);
  const normal = new Array<number>(9).fill(0); // M'M of the mean face M (P, 3)
  const right = [[0, 0, 0], [0, 0, 0]]; // M' times the centred x, and y
  POSE.MEAN_FACE.forEach((vertex, p) => {
    for (let i = 0; i < 3; i++) {
      for (let j = 0; j < 3; j++) normal[3 * i + j]! += vertex[i]! * vertex[j]!;
      right[0]![i]! += vertex[i]! * (points[p]![0] - cx);
      right[1]![i]! += vertex[i]! * (points[p]![1] - cy);
    }
  });
  const inverse = inverse3(normal);
  const [u, v] = right.map((r) => [0, 3, 6].map((i) => inverse[i]! * r[0]! + inverse[i + 1]! * r[1]! + inverse[i + 2]! * r[2]!));
  return nearestRotation(u!, v!);
}

/** Rows u, v (3,) -> the nearest orthonormal rows, and their cross product: the polar factor of (2, 3). */
function nearestRotation(u: readonly number[], v: readonly number[]): number[] {
  const dot = (a: readonly number[], b: readonly number[]) => a[0]! * b[0]! + a[1]! * b[1]! + a[2]! * b[2]!;
  const [a, b, d] = [dot(u, u), dot(u, v), dot(v, v)];
  const root = Math.sqrt(Math.max(a * d - b * b, 0));
  const trace = Math.sqrt(a + d + 2 * root);
  const least = Math.sqrt(Math.max((a + d - Math.sqrt((a - d) ** 2 + 4 * b * b)) / 2, 0));
  if (least < 1e-9) throw new Error("the landmarks lie on one line; no head pose can be read from them");
  const [p, q, r] = [(a + root) / trace, b / trace, (d + root) / trace]; // the square root of (a b, b d)
  const x = u.map((_, i) => (r * u[i]! - q * v[i]!) / root);
  const y = u.map((_, i) => (p * v[i]! - q * u[i]!) / root);
  const z = [x[1]! * y[2]! - x[2]! * y[1]!, x[2]! * y[0]! - x[0]! * y[2]!, x[0]! * y[1]! - x[1]! * y[0]!];
  return [...x, ...y, ...z];
}

const transposed = (m: readonly number[]): number[] => [0, 3, 6, 1, 4, 7, 2, 5, 8].map((i) => m[i]!);

function inverse3(m: readonly number[]): number[] {
  const [a, b, c, d, e, f, g, h, i] = m as [number, number, number, number, number, number, number, number, number];
  const [A, B, C] = [e * i - f * h, f * g - d * i, d * h - e * g];
  const det = a * A + b * B + c * C;
  return [A, c * h - b * i, b * f - c * e, B, a * i - c * g, c * d - a * f, C, b * g - a * h, a * e - b * d].map(
    (value) => value / det,
  );
}
