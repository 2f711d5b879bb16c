// Occlusion maps: src/mien/explanation/occlusion.py.

import { OCCLUSION } from "../constants";
import { gaussianBlur, type Rgb, rgb } from "../maths/image";

const { GRID, WINDOW } = OCCLUSION;

const AT_ONCE = 14; // variants of the face in memory

type Probability = (faces: readonly Rgb[]) => Promise<number[]>;

/** Mean fall of the probability (GRID, GRID), row by row, over the patches that hide each cell; negative: it rises. */
export async function occlusionMap(
  probability: Probability,
  face: Rgb,
  report: (share: number) => void,
): Promise<number[]> {
  const blurred = gaussianBlur(face, face.width / 8);
  const masks: boolean[][] = [];
  for (let row = 1 - WINDOW; row < GRID; row++) {
    for (let column = 1 - WINDOW; column < GRID; column++) masks.push(patch(row, column));
  }
  const [before] = (await probability([face])) as [number];
  const hidden: number[] = [];
  for (let i = 0; i < masks.length; i += AT_ONCE) {
    const variants = masks.slice(i, i + AT_ONCE).map((mask) => mixed(face, blurred, mask));
    hidden.push(...(await probability(variants)));
    report(hidden.length / masks.length);
  }
  return Array.from({ length: GRID * GRID }, (_, cell) => {
    const falls = hidden.flatMap((after, i) => (masks[i]![cell] ? [before - after] : []));
    return falls.reduce((sum, fall) => sum + fall, 0) / falls.length;
  });
}

/** The cells of a patch that begins at this row and column. */
function patch(top: number, left: number): boolean[] {
  return Array.from({ length: GRID * GRID }, (_, cell) => {
    const [row, column] = [Math.floor(cell / GRID), cell % GRID];
    return row >= top && row < top + WINDOW && column >= left && column < left + WINDOW;
  });
}

/** `other` where cells are true, else the face. */
function mixed(face: Rgb, other: Rgb, cells: readonly boolean[]): Rgb {
  const result = rgb(face.width, face.height, face.data.slice());
  for (let y = 0; y < face.height; y++) {
    const row = Math.floor((y * GRID) / face.height) * GRID;
    for (let x = 0; x < face.width; x++) {
      if (!cells[row + Math.floor((x * GRID) / face.width)]) continue;
      const at = (y * face.width + x) * 3;
      for (let c = 0; c < 3; c++) result.data[at + c] = other.data[at + c]!;
    }
  }
  return result;
}
