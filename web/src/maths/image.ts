// Images as RGB bytes, and Pillow's resampling of them, pixel for pixel.
//
// The page never lets the browser scale an image that a network sees: browsers scale differently from Pillow and
// from each other. Each function here repeats the integer arithmetic of the named function of Pillow 13.

import type { Matrix } from "./geometry";

/** (height, width, 3) RGB. */
export interface Rgb {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

export function rgb(width: number, height: number, data = new Uint8Array(width * height * 3)): Rgb {
  return { width, height, data };
}

/** What a canvas gives, its transparency on white. */
export function fromRgba(width: number, height: number, rgba: Uint8ClampedArray | Uint8Array): Rgb {
  const image = rgb(width, height);
  const { data } = image;
  for (let from = 0, to = 0; to < data.length; from += 4, to += 3) {
    const alpha = rgba[from + 3]!;
    for (let c = 0; c < 3; c++) {
      const value = rgba[from + c]!;
      data[to + c] = alpha === 255 ? value : Math.round((value * alpha + 255 * (255 - alpha)) / 255);
    }
  }
  return image;
}

export function toRgba(image: Rgb): Uint8ClampedArray<ArrayBuffer> {
  const rgba = new Uint8ClampedArray(image.width * image.height * 4);
  for (let from = 0, to = 0; from < image.data.length; from += 3, to += 4) {
    rgba[to] = image.data[from]!;
    rgba[to + 1] = image.data[from + 1]!;
    rgba[to + 2] = image.data[from + 2]!;
    rgba[to + 3] = 255;
  }
  return rgba;
}

/** `image[top:bottom, left:right]`. */
export function part(image: Rgb, left: number, top: number, right: number, bottom: number): Rgb {
  const [x1, y1] = [Math.min(right, image.width), Math.min(bottom, image.height)];
  if (left === 0 && top === 0 && x1 === image.width && y1 === image.height) return image;
  const result = rgb(x1 - left, y1 - top);
  for (let y = top; y < y1; y++) {
    const from = (y * image.width + left) * 3;
    result.data.set(image.data.subarray(from, from + result.width * 3), (y - top) * result.width * 3);
  }
  return result;
}

/** `np.rot90(image, turns)`: counter-clockwise. */
export function rotated(image: Rgb, turns: number): Rgb {
  if (turns === 0) return image;
  const { width: w, height: h, data } = image;
  const result = turns === 2 ? rgb(w, h) : rgb(h, w);
  for (let y = 0; y < result.height; y++) {
    for (let x = 0; x < result.width; x++) {
      const sx = turns === 1 ? w - 1 - y : turns === 2 ? w - 1 - x : y;
      const sy = turns === 1 ? x : turns === 2 ? h - 1 - y : h - 1 - x;
      const from = (sy * w + sx) * 3;
      const to = (y * result.width + x) * 3;
      result.data[to] = data[from]!;
      result.data[to + 1] = data[from + 1]!;
      result.data[to + 2] = data[from + 2]!;
    }
  }
  return result;
}

/** `Image.reduce((fx, fy))`: means of blocks, those at the right and bottom edges of what is left. */
export function reduce(image: Rgb, fx: number, fy: number): Rgb {
  if (fx === 1 && fy === 1) return image;
  const { width: w, height: h, data } = image;
  const result = rgb(Math.ceil(w / fx), Math.ceil(h / fy));
  for (let y = 0; y < result.height; y++) {
    const high = Math.min(fy, h - y * fy);
    for (let x = 0; x < result.width; x++) {
      const wide = Math.min(fx, w - x * fx);
      const count = wide * high;
      const multiplier = Math.trunc(Math.fround(4294967296 / Math.fround(256 * count)));
      const half = Math.floor(count / 2);
      let r = half;
      let g = half;
      let b = half;
      for (let j = 0; j < high; j++) {
        let at = ((y * fy + j) * w + x * fx) * 3;
        for (let i = 0; i < wide; i++, at += 3) {
          r += data[at]!;
          g += data[at + 1]!;
          b += data[at + 2]!;
        }
      }
      const to = (y * result.width + x) * 3;
      result.data[to] = Math.floor((r * multiplier) / 16777216);
      result.data[to + 1] = Math.floor((g * multiplier) / 16777216);
      result.data[to + 2] = Math.floor((b * multiplier) / 16777216);
    }
  }
  return result;
}

type Filter = { readonly support: number; readonly weight: (x: number) => number };

const BILINEAR: Filter = { support: 1, weight: (x) => Math.max(0, 1 - Math.abs(x)) };
const BOX: Filter = { support: 0.5, weight: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) };
const BICUBIC: Filter = {
  support: 2,
  weight: (x) => {
    const [a, v] = [-0.5, Math.abs(x)];
    if (v < 1) return ((a + 2) * v - (a + 3)) * v * v + 1;
    return v < 2 ? (((v - 5) * v + 8) * v - 4) * a : 0;
  },
};
export const FILTERS = { bilinear: BILINEAR, box: BOX, bicubic: BICUBIC };

interface Taps {
  readonly starts: Int32Array;
  readonly weights: Float64Array[];
}

/** `precompute_coeffs` of Resample.c. */
export function taps(filter: Filter, from: number, start: number, end: number, to: number): Taps {
  const scale = (end - start) / to;
  const stretch = Math.max(scale, 1);
  const support = filter.support * stretch;
  const starts = new Int32Array(to);
  const weights: Float64Array[] = [];
  for (let i = 0; i < to; i++) {
    const centre = start + (i + 0.5) * scale;
    const low = Math.max(Math.trunc(centre - support + 0.5), 0);
    const high = Math.min(Math.trunc(centre + support + 0.5), from);
    const row = new Float64Array(high - low);
    let sum = 0;
    for (let x = low; x < high; x++) {
      row[x - low] = filter.weight((x - centre + 0.5) / stretch);
      sum += row[x - low]!;
    }
    if (sum !== 0) for (let x = 0; x < row.length; x++) row[x] = row[x]! / sum;
    starts[i] = low;
    weights.push(row);
  }
  return { starts, weights };
}

const PRECISION = 1 << 22;

/** `Image.resize((width, height), filter, (0, 0, endX, endY))`. */
export function resize(
  source: Rgb,
  width: number,
  height: number,
  filter = BILINEAR,
  [wide, high]: readonly [number, number] = [source.width, source.height],
): Rgb {
  const [endX, endY] = [Math.fround(wide), Math.fround(high)];
  const rows = (from: Rgb) => (width === from.width && endX === width ? from : along(from, width, 1, filter, endX));
  const columns = (from: Rgb) => (height === from.height && endY === height ? from : along(from, height, 0, filter, endY));
  // Pillow 13 reduces the height first where it loses much more than the width; 12 never does.
  const [lostX, lostY] = [source.width - width, source.height - height];
  return lostY > 2 * Math.max(lostX, 0) ? rows(columns(source)) : columns(rows(source));
}

/** One pass of Resample.c: along the rows (axis 1) or the columns (axis 0). */
function along(image: Rgb, length: number, axis: 0 | 1, filter: Filter, end: number): Rgb {
  const from = axis ? image.width : image.height;
  const { starts, weights } = taps(filter, from, 0, end, length);
  const fixed = weights.map((row) => Int32Array.from(row, (k) => Math.trunc((k < 0 ? -0.5 : 0.5) + k * PRECISION)));
  const result = axis ? rgb(length, image.height) : rgb(image.width, length);
  const step = axis ? 3 : image.width * 3;
  const { data } = image;
  for (let y = 0; y < result.height; y++) {
    for (let x = 0; x < result.width; x++) {
      const i = axis ? x : y;
      const row = fixed[i]!;
      let at = axis ? (y * image.width + starts[i]!) * 3 : (starts[i]! * image.width + x) * 3;
      let r = PRECISION >> 1;
      let g = r;
      let b = r;
      for (let k = 0; k < row.length; k++, at += step) {
        r += data[at]! * row[k]!;
        g += data[at + 1]! * row[k]!;
        b += data[at + 2]! * row[k]!;
      }
      const to = (y * result.width + x) * 3;
      result.data[to] = clip8(r >> 22);
      result.data[to + 1] = clip8(g >> 22);
      result.data[to + 2] = clip8(b >> 22);
    }
  }
  return result;
}

const clip8 = (value: number): number => (value < 0 ? 0 : value > 255 ? 255 : value);

/** `Image.transform((size, size), AFFINE, matrix, BILINEAR)`; black outside of the image. */
export function affine(image: Rgb, m: Matrix, size: number): Rgb {
  const result = rgb(size, size);
  const { width: w, height: h, data } = image;
  for (let y = 0, to = 0; y < size; y++) {
    for (let x = 0; x < size; x++, to += 3) {
      let sx = m[0] * (x + 0.5) + m[1] * (y + 0.5) + m[2];
      let sy = m[3] * (x + 0.5) + m[4] * (y + 0.5) + m[5];
      if (sx < 0 || sx >= w || sy < 0 || sy >= h) continue;
      sx -= 0.5;
      sy -= 0.5;
      const left = Math.floor(sx);
      const top = Math.floor(sy);
      const dx = sx - left;
      const dy = sy - top;
      const x0 = Math.max(left, 0);
      const x1 = Math.min(left + 1, w - 1);
      const above = Math.max(top, 0) * w;
      const below = Math.min(top + 1, h - 1) * w;
      const p = (above + x0) * 3;
      const q = (above + x1) * 3;
      const r = (below + x0) * 3;
      const s = (below + x1) * 3;
      for (let c = 0; c < 3; c++) {
        const upper = data[p + c]! + (data[q + c]! - data[p + c]!) * dx;
        const lower = data[r + c]! + (data[s + c]! - data[r + c]!) * dx;
        result.data[to + c] = upper + (lower - upper) * dy;
      }
    }
  }
  return result;
}

/** `ImageFilter.GaussianBlur(radius)`: three box blurs of BoxBlur.c. */
export function gaussianBlur(image: Rgb, radius: number): Rgb {
  const passes = 3;
  const variance = (radius * radius) / passes;
  const length = Math.sqrt(12 * variance + 1);
  const whole = Math.floor((length - 1) / 2);
  let rest = (2 * whole + 1) * (whole * (whole + 1) - 3 * variance);
  rest /= 6 * (variance - (whole + 1) * (whole + 1));
  const side = Math.fround(whole + rest);
  let result = image;
  for (let i = 0; i < passes; i++) result = boxBlurRows(result, side);
  result = transposed(result);
  for (let i = 0; i < passes; i++) result = boxBlurRows(result, side);
  return transposed(result);
}

function boxBlurRows(image: Rgb, side: number): Rgb {
  const radius = Math.trunc(side);
  const weight = Math.trunc(Math.fround((1 << 24) / Math.fround(side * 2 + 1)));
  const edge = Math.trunc(((1 << 24) - (radius * 2 + 1) * weight) / 2);
  const { width: w, height: h, data } = image;
  const result = rgb(w, h);
  const clamp = (x: number) => (x < 0 ? 0 : x >= w ? w - 1 : x);
  for (let y = 0; y < h; y++) {
    for (let c = 0; c < 3; c++) {
      const at = (x: number) => data[(y * w + clamp(x)) * 3 + c]!;
      let sum = 0;
      for (let x = -radius; x <= radius; x++) sum += at(x);
      for (let x = 0; x < w; x++) {
        const value = sum * weight + (at(x - radius - 1) + at(x + radius + 1)) * edge;
        result.data[(y * w + x) * 3 + c] = Math.floor((value + (1 << 23)) / (1 << 24));
        sum += at(x + radius + 1) - at(x - radius);
      }
    }
  }
  return result;
}

function transposed(image: Rgb): Rgb {
  const result = rgb(image.height, image.width);
  for (let y = 0; y < image.height; y++) {
    for (let x = 0; x < image.width; x++) {
      const from = (y * image.width + x) * 3;
      const to = (x * image.height + y) * 3;
      for (let c = 0; c < 3; c++) result.data[to + c] = image.data[from + c]!;
    }
  }
  return result;
}
