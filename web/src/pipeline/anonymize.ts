// Faces made unrecognisable: what replaces them is computed from a few mean colours (src/mien/draw/anonymize.py).

import { ANONYMIZE } from "../constants";
import { box, grown, round } from "../maths/geometry";
import { FILTERS, part, resize, type Rgb, rgb } from "../maths/image";
import type { Face } from "../results";

/** A copy of the image whose faces are squares of mean colours in a few levels. */
export function anonymized(image: Rgb, faces: readonly Face[]): Rgb {
  const result = rgb(image.width, image.height, image.data.slice());
  for (const face of faces) cover(image, result, face);
  return result;
}

function cover(image: Rgb, result: Rgb, face: Face): void {
  const wide = grown(box(...face.box), ANONYMIZE.MARGIN);
  const [left, top] = [Math.max(Math.trunc(wide.left), 0), Math.max(Math.trunc(wide.top), 0)];
  const [right, bottom] = [Math.min(Math.ceil(wide.right), image.width), Math.min(Math.ceil(wide.bottom), image.height)];
  if (right <= left || bottom <= top) return;
  const cells = resize(part(image, left, top, right, bottom), ANONYMIZE.CELLS, ANONYMIZE.CELLS, FILTERS.box);
  const step = 255 / (ANONYMIZE.LEVELS - 1);
  const few = cells.data.map((value) => round(round(value / step) * step));
  for (let y = top; y < bottom; y++) {
    const row = Math.floor(((y - top + 0.5) * ANONYMIZE.CELLS) / (bottom - top));
    for (let x = left; x < right; x++) {
      const column = Math.floor(((x - left + 0.5) * ANONYMIZE.CELLS) / (right - left));
      for (let c = 0; c < 3; c++) {
        result.data[(y * image.width + x) * 3 + c] = few[(row * ANONYMIZE.CELLS + column) * 3 + c]!;
      }
    }
  }
}
