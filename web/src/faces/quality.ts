// How well a face can be seen: src/mien/faces/quality.py.

import { QUALITY } from "../constants";
import * as geometry from "../maths/geometry";
import { type Point, round } from "../maths/geometry";
import type { Rgb } from "../maths/image";
import { cropMatrix, faceCrop, warp } from "../maths/preprocess";
import type { Pose, Quality } from "../results";

/** Grey values (height, width), 0..1. */
interface Grey {
  readonly width: number;
  readonly height: number;
  readonly data: Float64Array;
}

/** Every measure but `upright`. */
export function faceQuality(image: Rgb, landmarks: readonly Point[], pose: Pose): Omit<Quality, "upright"> {
  const [left, right] = geometry.fivePoints(landmarks) as [Point, Point];
  const foreshortening = Math.cos(radians(Math.min(Math.abs(pose.yaw_deg), QUALITY.YAW_MAX_DEG)));
  const matrix = cropMatrix(faceCrop(QUALITY.PATCH_PX), landmarks);
  const scale = Math.sqrt(Math.abs(geometry.determinant(matrix))); // patch pixels per image pixel
  const wanted = round(QUALITY.PATCH_PX / Math.max(scale, 1e-9));
  const side = Math.min(Math.max(wanted, QUALITY.LEAST_PX), QUALITY.PATCH_PX);
  const double = warp(image, geometry.scaled(matrix, (2 * side) / QUALITY.PATCH_PX), 2 * side);
  const middle = middleOf(double, side);
  const [darkest, light] = [percentile(middle.data, 5), percentile(middle.data, 95)];
  return {
    eye_px: Math.hypot(right[0] - left[0], right[1] - left[1]) / foreshortening,
    off_axis_deg: offAxisDeg(pose),
    sharpness: Math.min(lost(middle), lost(transposed(middle))),
    light,
    contrast: light - darkest,
    clipped: middle.data.filter((v) => v >= QUALITY.CLIPPED).length / middle.data.length,
  };
}

/** The luma of the middle of the face, brows to lower lip; the image is sampled twice as densely and averaged. */
function middleOf(double: Rgb, side: number): Grey {
  const [top, bottom] = QUALITY.ROWS.map((share) => round(share * side)) as [number, number];
  const [left, right] = QUALITY.COLUMNS.map((share) => round(share * side)) as [number, number];
  const [width, height] = [right - left, bottom - top];
  const data = new Float64Array(width * height);
  const { data: pixels, width: stride } = double;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = (2 * (y + top) * stride + 2 * (x + left)) * 3;
      const below = at + 3 * stride;
      const mean = (c: number) => (pixels[at + c]! + pixels[at + 3 + c]! + pixels[below + c]! + pixels[below + 3 + c]!) / 4;
      data[y * width + x] = (0.299 * mean(0) + 0.587 * mean(1) + 0.114 * mean(2)) / 255;
    }
  }
  return { width, height, data };
}

/** Along the columns: how much of the variation between neighbours a second blur takes away, 0..1. */
function lost(grey: Grey): number {
  const { width, height, data } = grey;
  const half = Math.floor(QUALITY.WINDOW / 2);
  let [total, taken] = [0, 0];
  for (let x = 0; x < width; x++) {
    const at = (y: number) => data[y * width + x]!;
    const blurred = (y: number) => {
      let sum = 0;
      for (let k = 0; k < QUALITY.WINDOW; k++) sum += at(y + k);
      return sum / QUALITY.WINDOW;
    };
    for (let y = 0; y + QUALITY.WINDOW < height; y++) {
      const before = Math.abs(at(y + half + 1) - at(y + half));
      total += before;
      taken += Math.max(before - Math.abs(blurred(y + 1) - blurred(y)), 0);
    }
  }
  return total > 0 ? taken / total : 0;
}

function transposed(grey: Grey): Grey {
  const { width, height, data } = grey;
  const result = new Float64Array(data.length);
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) result[x * height + y] = data[y * width + x]!;
  return { width: height, height: width, data: result };
}

/** numpy's percentile with linear interpolation. */
function percentile(values: Float64Array, q: number): number {
  const sorted = values.toSorted();
  const at = (q / 100) * (sorted.length - 1);
  const low = Math.floor(at);
  const above = sorted[Math.min(low + 1, sorted.length - 1)]!;
  return sorted[low]! + (above - sorted[low]!) * (at - low);
}

/** The angle between the direction of the nose and that of the camera. */
function offAxisDeg(pose: Pose): number {
  const cosine = Math.cos(radians(pose.yaw_deg)) * Math.cos(radians(pose.pitch_deg));
  return (Math.acos(Math.min(Math.max(cosine, -1), 1)) * 180) / Math.PI;
}

const radians = (degrees: number): number => (degrees * Math.PI) / 180;
