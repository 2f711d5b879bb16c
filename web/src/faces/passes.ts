// The detection passes over an image: src/mien/faces/passes.py.

import { DETECTORS, PASSES, TILING, YUNET } from "../constants";
import * as geometry from "../maths/geometry";
import { type Box, box, centre, round } from "../maths/geometry";
import { part, type Rgb, rgb } from "../maths/image";
import { warp } from "../maths/preprocess";
import type { Network } from "../pipeline/network";
import { type Detection, longerSide, moved } from "./detection";
import { resized, shrink } from "./shrinking";
import { inside, type Tile, tiles, tileScales } from "./tiling";
import { infer, type Planes } from "./yunet";

const IOU_THRESHOLD = 0.3;
const SIDE_PX = YUNET.SIDE_PX;

/** The default detector: yunet-slim, with fallback weights for images in which it detects nothing. */
export class Detector {
  readonly #network: Network;
  readonly #fallback: Detector | null;
  readonly threshold = DETECTORS.DETECTION_THRESHOLD;

  /** `tiles`: false where large images are not also searched in tiles. */
  constructor(
    network: Network,
    robust: Network | null,
    private readonly tiles: boolean = true,
  ) {
    this.#network = network;
    this.#fallback = robust && new Detector(robust, null, false);
  }

  /** The faces of an image of any size by decreasing confidence. */
  async detect(image: Rgb): Promise<Detection[]> {
    let raw: Detection[] = [];
    for await (raw of this.#passes(image)) if (raw.length) break;
    const kept = geometry.nms(raw.map((face) => face.box), raw.map((face) => face.score), IOU_THRESHOLD);
    return kept.map((i) => ({ ...raw[i]!, box: geometry.clipped(raw[i]!.box, image.width, image.height) }));
  }

  /** From cheap to costly, before NMS; the first that detects something is the last. */
  async *#passes(image: Rgb): AsyncGenerator<Detection[]> {
    yield* this.#firstPasses(image);
    if (this.tiles && Math.max(image.width, image.height) > SIDE_PX) {
      yield await this.#detectInTiles(image, allTiles(image));
    }
  }

  async *#firstPasses(image: Rgb): AsyncGenerator<Detection[]> {
    yield await this.#copyAndTiles(image);
    yield await this.#paddedRetry(image);
    if (this.#fallback) yield* this.#fallback.#firstPasses(image);
  }

  /** The faces of the copy, and of all tiles where the image has small faces. */
  async #copyAndTiles(image: Rgb): Promise<Detection[]> {
    if (!this.tiles || Math.max(image.width, image.height) <= SIDE_PX) {
      const { reduced, factor } = reducedCopy(image);
      return scaled(await this.#detectIn(reduced, bounds(reduced), this.threshold), factor);
    }
    const { faces, hints } = await this.#coarsePasses(image);
    if (!(await this.#hasSmallFaces(image, hints))) return faces;
    return [...faces, ...(await this.#detectInTiles(image, allTiles(image)))];
  }

  /** The faces of the copy and of a larger one; what may be small faces, each once. */
  async #coarsePasses(image: Rgb): Promise<{ faces: Detection[]; hints: Detection[] }> {
    const lowest = Math.min(PASSES.HINT_SCORE, this.threshold);
    const { reduced, factor } = reducedCopy(image);
    const copy = scaled(await this.#detectIn(reduced, bounds(reduced), lowest), factor);
    const coarser = await this.#coarserTiles(reduced, factor, lowest);
    const faces = [copy, ...coarser].flatMap((raw) => raw.filter((face) => face.score > this.threshold));
    const small = [
      ...this.#hints(copy, Math.max(image.width, image.height) / SIDE_PX),
      ...coarser.flatMap((raw) => this.#hints(raw, PASSES.COARSE)),
    ];
    const large = faces.filter((face) => longerSide(face.box) > PASSES.HINT_PX * PASSES.COARSE).map((face) => face.box);
    const free = small.filter((hint) => !within(large, hint) && within([bounds(image)], hint)); // an eye is no small face
    return { faces, hints: once(free) };
  }

  /** A large image at a third of its size, and at further ones down to the copy's. */
  async #coarserTiles(image: Rgb, side: number, threshold: number): Promise<Detection[][]> {
    const overlapPx = SIDE_PX * TILING.OVERLAP;
    const parts: Detection[][] = [];
    let [reduced, factor] = [image, side];
    while (factor >= PASSES.COARSE && Math.max(reduced.width, reduced.height) > PASSES.COARSER * SIDE_PX) {
      for (const tile of tiles(reduced.width, reduced.height, PASSES.COARSE_TILE_PX, overlapPx)) {
        parts.push(scaled(owned(await this.#detectIn(reduced, tile.box, threshold, 1), tile, overlapPx), factor));
      }
      [reduced, factor] = [shrink(reduced, TILING.LEVEL_STEP), factor * TILING.LEVEL_STEP];
    }
    return parts;
  }

  /** What may be small faces, the likeliest first; `px`: of the image per pixel of the pass. */
  #hints(raw: readonly Detection[], px: number): Detection[] {
    const most = (face: Detection) => (face.score > this.threshold ? PASSES.CLEAR_HINT_PX : PASSES.HINT_PX) * px;
    return likeliest(raw.filter((face) => longerSide(face.box) <= most(face))).slice(0, PASSES.MOST_HINTS);
  }

  /** Whether one of the likeliest hints looks like a small face at full size. */
  async #hasSmallFaces(image: Rgb, hints: readonly Detection[]): Promise<boolean> {
    const order = likeliest(hints);
    const runs = 1 + Math.floor((image.width * image.height) / (PASSES.MEGAPIXELS * 1_000_000));
    for (let i = 0; i < runs; i++) {
      const part = order.slice(i * PASSES.GLIMPSES, (i + 1) * PASSES.GLIMPSES);
      if (part.length && (await this.#anyFace(image, part))) return true;
    }
    return false;
  }

  /** Whether what is around one of the hints, side by side in one run, looks like a small face. */
  async #anyFace(image: Rgb, hints: readonly Detection[]): Promise<boolean> {
    const columns = Math.ceil(Math.sqrt(hints.length));
    const sheet = rgb(columns * PASSES.GLIMPSE_PX, columns * PASSES.GLIMPSE_PX);
    const glimpses = hints.map((hint, i) => {
      const { seen, px, at } = glimpse(image, hint.box);
      const [left, top] = [PASSES.GLIMPSE_PX * (i % columns), PASSES.GLIMPSE_PX * Math.floor(i / columns)];
      paste(sheet, seen, left, top);
      const largestPx = (PASSES.HINT_PX * Math.max(image.width, image.height)) / SIDE_PX / px;
      return { x: left + at[0], y: top + at[1], largestPx };
    });
    const faces = await infer(this.#network, padded(sheet), PASSES.GLIMPSE_SCORE);
    return faces.some(({ box: face }) => {
      const [x, y] = centre(face);
      return glimpses.some((one) => {
        const off = Math.max(Math.abs(x - one.x), Math.abs(y - one.y));
        return off < PASSES.GLIMPSE_PX / 4 && longerSide(face) <= one.largestPx;
      });
    });
  }

  /** A face that fills its image is detected only with something around it: the edges repeated. */
  async #paddedRetry(image: Rgb): Promise<Detection[]> {
    const side = PASSES.PADDED_RETRY_PX;
    const all = geometry.grown(geometry.squared(box(0, 0, image.width, image.height)), 1.5);
    const matrix = geometry.boxOntoSquare(all, side);
    const faces = await this.#detectIn(warp(image, matrix, side), box(0, 0, side, side), this.threshold);
    return faces.map((face) => moved(face, geometry.invert(matrix)));
  }

  /** Faces small enough to lie completely in some tile; larger ones are detected at a coarser scale. */
  async #detectInTiles(image: Rgb, todo: readonly ScaledTile[]): Promise<Detection[]> {
    const faces: Detection[] = [];
    for (const { scale, tile } of todo) {
      const raw = await this.#detectIn(image, tile.box, this.threshold, scale);
      faces.push(...owned(raw, tile, (SIDE_PX * TILING.OVERLAP) / scale));
    }
    return faces;
  }

  /** The faces of one part of the image in image pixels, before NMS. `scale`: of what the network sees. */
  async #detectIn(image: Rgb, where: Box, threshold: number, scale?: number): Promise<Detection[]> {
    const [partWide, partHigh] = [geometry.width(where), geometry.height(where)];
    const factor = scale ?? Math.min(1, SIDE_PX / Math.max(partWide, partHigh));
    const [wide, high] = [Math.max(1, round(partWide * factor)), Math.max(1, round(partHigh * factor))];
    const seen = resized(part(image, where.left, where.top, where.right, where.bottom), wide, high);
    const faces = await infer(this.#network, padded(seen), threshold);
    const matrix = [partWide / wide, 0, where.left, 0, partHigh / high, where.top] as const;
    return faces.map((face) => moved(face, matrix));
  }
}

interface ScaledTile {
  readonly scale: number;
  readonly tile: Tile;
}

const bounds = (image: Rgb): Box => box(0, 0, image.width, image.height);

const scaled = (faces: readonly Detection[], factor: number): Detection[] =>
  faces.map((face) => moved(face, [factor, 0, 0, 0, factor, 0]));

const likeliest = (faces: readonly Detection[]): Detection[] => [...faces].sort((a, b) => b.score - a.score);

/** The image with blocks of pixels averaged, and their side: 1, 2 or 3. The copy is made of it. */
function reducedCopy(image: Rgb): { reduced: Rgb; factor: number } {
  const longest = Math.max(image.width, image.height);
  const factor = Math.min(PASSES.COARSE, Math.max(1, Math.floor(longest / SIDE_PX)));
  return { reduced: shrink(image, factor), factor };
}

/** The image around a hint, up to GLIMPSE_PX a side; pixels of the image per pixel of it; the hint's place in it. */
function glimpse(image: Rgb, hint: Box): { seen: Rgb; px: number; at: readonly [number, number] } {
  const faces = PASSES.GLIMPSE_FACES;
  const side = round(Math.max(PASSES.GLIMPSE_PX, faces * geometry.width(hint), faces * geometry.height(hint)));
  const [x, y] = centre(hint);
  const px = side / PASSES.GLIMPSE_PX;
  const start = (middle: number, length: number) => Math.max(0, Math.min(Math.trunc(middle - side / 2), length - side));
  const [left, top] = [start(x, image.width), start(y, image.height)];
  const around = part(image, left, top, left + side, top + side);
  const seen = resized(around, Math.max(1, round(around.width / px)), Math.max(1, round(around.height / px)));
  return { seen, px, at: [(x - left) / px, (y - top) / px] };
}

function paste(sheet: Rgb, image: Rgb, left: number, top: number): void {
  for (let y = 0; y < image.height; y++) {
    const row = image.data.subarray(y * image.width * 3, (y + 1) * image.width * 3);
    sheet.data.set(row, ((top + y) * sheet.width + left) * 3);
  }
}

/** Whether the centre of a face lies in one of the boxes. */
function within(boxes: readonly Box[], face: Detection): boolean {
  const [x, y] = centre(face.box);
  return boxes.some((outer) => x > outer.left && x < outer.right && y > outer.top && y < outer.bottom);
}

function allTiles(image: Rgb): ScaledTile[] {
  return tileScales(image.width, image.height, SIDE_PX).flatMap((scale) =>
    tiles(image.width, image.height, round(SIDE_PX / scale)).map((tile) => ({ scale, tile })),
  );
}

/** The image as planes, black below and to the right. */
export function padded(image: Rgb): Planes {
  const up = (side: number) => Math.ceil(side / PASSES.STRIDE_PX) * PASSES.STRIDE_PX;
  const [width, height] = [up(image.width), up(image.height)];
  const data = new Float32Array(3 * width * height);
  for (let c = 0; c < 3; c++) {
    for (let y = 0; y < image.height; y++) {
      const to = (c * height + y) * width;
      const from = y * image.width * 3 + c;
      for (let x = 0; x < image.width; x++) data[to + x] = image.data[from + 3 * x]!;
    }
  }
  return { width, height, data };
}

/** The faces whose centre lies in the tile's core, up to a size that such a face has completely in the tile. */
function owned(faces: readonly Detection[], tile: Tile, largestPx: number): Detection[] {
  return faces.filter((face) => inside(tile.core, centre(face.box)) && longerSide(face.box) <= largestPx);
}

/** Of faces that overlap, the likeliest. */
function once(faces: readonly Detection[]): Detection[] {
  const kept = geometry.nms(faces.map((face) => face.box), faces.map((face) => face.score), 0.1);
  return kept.map((i) => faces[i]!);
}
