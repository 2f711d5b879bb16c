// From an image and a face's landmarks to a network's input: src/mien/preprocess.py.

import { PREPROCESS } from "../constants";
import * as geometry from "./geometry";
import { type Matrix, type Point, round } from "./geometry";
import { affine, part, reduce, type Rgb, rgb } from "./image";

/** How a face becomes a network's input: `inputs` of a weights manifest. */
export interface Preprocess {
  readonly size_px: number;
  readonly template: string;
  readonly mean: readonly number[];
  readonly std: readonly number[];
  readonly channels: string;
}

/** `Preprocess(size_px=...)`. */
export const faceCrop = (sizePx: number): Preprocess => ({
  size_px: sizePx,
  template: "face",
  mean: [0.485, 0.456, 0.406],
  std: [0.229, 0.224, 0.225],
  channels: "rgb",
});

export const template = (points: readonly (readonly number[])[], side: number): Point[] =>
  points.map(([x, y]) => [x! * side, y! * side] as const);

/** 68 landmarks in image pixels -> the similarity onto the crop. */
export function cropMatrix(inputs: Preprocess, landmarks: readonly Point[]): Matrix {
  if (inputs.template === PREPROCESS.BOX) {
    const { left, top, right, bottom } = geometry.around(landmarks);
    const head = top - PREPROCESS.FOREHEAD * (bottom - top);
    return geometry.boxOntoSquare(geometry.box(left, head, right, bottom), inputs.size_px);
  }
  const templates: Record<string, readonly (readonly number[])[]> = PREPROCESS.TEMPLATES;
  const points = templates[inputs.template];
  if (!points) throw new Error(`the weights want the crop ${inputs.template}, which this page does not know`);
  return geometry.similarity(geometry.fivePoints(landmarks), template(points, inputs.size_px));
}

/** Faces (S, S, 3) RGB -> (N, 3, S, S) in the channel order of the weights. */
export function normalise(inputs: Preprocess, crops: readonly Rgb[]): Float32Array<ArrayBuffer> {
  const plane = inputs.size_px * inputs.size_px;
  const x = new Float32Array(crops.length * 3 * plane);
  for (let c = 0; c < 3; c++) {
    const std = Math.fround(inputs.std[c]!);
    const scale = Math.fround(1 / Math.fround(255 * std));
    const shift = Math.fround(Math.fround(inputs.mean[c]!) / std);
    const to = inputs.channels === "bgr" ? 2 - c : c;
    crops.forEach((crop, n) => {
      const start = (n * 3 + to) * plane;
      for (let i = 0; i < plane; i++) x[start + i] = Math.fround(crop.data[3 * i + c]! * scale) - shift;
    });
  }
  return x;
}

/**
 * The square of the image that `matrix` takes onto (0, 0)..(size, size).
 *
 * Large faces are averaged down first, so that nothing aliases; outside the image its edge pixels are repeated.
 */
export function warp(image: Rgb, matrix: Matrix, sizePx: number): Rgb {
  const { width, height } = image;
  const back = geometry.invert(matrix);
  const corners = [[0, 0], [sizePx, 0], [0, sizePx], [sizePx, sizePx]].map(([x, y]) =>
    geometry.transform(back, [x!, y!]),
  );
  const step = Math.max(1, round(Math.sqrt(Math.abs(geometry.determinant(back))))); // source pixels averaged
  const square = geometry.around(corners);
  const left = Math.floor((square.left - 2 * step) / step) * step; // on a grid of `step` from the image's corner
  const top = Math.floor((square.top - 2 * step) / step) * step;
  const right = Math.ceil((square.right + 2 * step) / step) * step;
  const bottom = Math.ceil((square.bottom + 2 * step) / step) * step;
  const x0 = Math.min(Math.max(left, 0), Math.floor((width - 1) / step) * step);
  const y0 = Math.min(Math.max(top, 0), Math.floor((height - 1) / step) * step);
  const region = reduce(part(image, x0, y0, Math.max(right, x0 + 1), Math.max(bottom, y0 + 1)), step, step);
  const padded = withEdges(region, (left - x0) / step, (top - y0) / step, (right - left) / step, (bottom - top) / step);
  const shifted: Matrix = [back[0], back[1], back[2] - left, back[3], back[4], back[5] - top];
  return affine(padded, geometry.scaled(shifted, 1 / step), sizePx);
}

/** The part of an image from (left, top), which may lie outside of it, where its edges are repeated. */
function withEdges(image: Rgb, left: number, top: number, wide: number, high: number): Rgb {
  if (left === 0 && top === 0 && wide === image.width && high === image.height) return image;
  const result = rgb(wide, high);
  for (let y = 0; y < high; y++) {
    const row = Math.min(Math.max(top + y, 0), image.height - 1) * image.width;
    for (let x = 0; x < wide; x++) {
      const from = (row + Math.min(Math.max(left + x, 0), image.width - 1)) * 3;
      const to = (y * wide + x) * 3;
      result.data[to] = image.data[from]!;
      result.data[to + 1] = image.data[from + 1]!;
      result.data[to + 2] = image.data[from + 2]!;
    }
  }
  return result;
}
