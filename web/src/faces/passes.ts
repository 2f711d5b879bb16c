// The detection passes over an image: src/mien/faces/passes.py.

import { DETECTORS, PASSES, TILING, YUNET } from "../constants";
import * as geometry from "../maths/geometry";
import { type Box, box, centre, round } from "../maths/geometry";
import { part, resize, type Rgb } from "../maths/image";
import { warp } from "../maths/preprocess";
import type { Network } from "../pipeline/network";
import { type Detection, longerSide, moved } from "./detection";
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

  /** The faces of the copy, and of those tiles that are worth it. */
  async #copyAndTiles(image: Rgb): Promise<Detection[]> {
    const longest = Math.max(image.width, image.height);
    let reduced = image;
    if (PASSES.COARSE_SCALE * longest > SIDE_PX) {
      reduced = resized(image, round(image.width * PASSES.COARSE_SCALE), round(image.height * PASSES.COARSE_SCALE));
    }
    const perPx = scaling(image.width / reduced.width, image.height / reduced.height);
    const lowest = Math.min(PASSES.HINT_SCORE, this.threshold);
    const bounds = box(0, 0, reduced.width, reduced.height);
    const hints = (await this.#detectIn(reduced, bounds, lowest)).map((face) => moved(face, perPx));
    const faces = this.#above(hints);
    if (!this.tiles || longest <= SIDE_PX) return faces;
    const near = small(hints, (PASSES.HINT_PX * longest) / SIDE_PX);
    if (reduced !== image && (near.length || !faces.length)) { // not where all faces are large
      for (const raw of await this.#coarsePass(reduced, lowest)) {
        const coarse = raw.map((face) => moved(face, perPx));
        faces.push(...this.#above(coarse));
        near.push(...small(coarse, PASSES.HINT_PX / PASSES.COARSE_SCALE));
      }
    }
    return [...faces, ...(await this.#tilesAround(image, near))];
  }

  /** The faces of the tiles that own one of the hints; of all tiles where these show a crowd. */
  async #tilesAround(image: Rgb, hints: readonly Detection[]): Promise<Detection[]> {
    let todo = allTiles(image);
    const faces: Detection[] = [];
    if (hints.filter((hint) => hint.score > PASSES.CROWD_SCORE).length < PASSES.CROWD) {
      const near = todo.filter(({ tile }) => hints.some((hint) => inside(tile.core, centre(hint.box))));
      let count = 0;
      for (const each of near) {
        const raw = await this.#detectInTiles(image, [each]);
        faces.push(...raw);
        count += small(raw, PASSES.HINT_PX / PASSES.COARSE_SCALE).length;
      }
      if (count < PASSES.CROWD) return faces;
      todo = todo.filter((each) => !near.includes(each));
    }
    return [...faces, ...(await this.#detectInTiles(image, todo))];
  }

  /** The faces and hints in a reduced image that is larger than the network's copy, in its pixels. */
  async #coarsePass(reduced: Rgb, threshold: number): Promise<Detection[][]> {
    const overlapPx = SIDE_PX * TILING.OVERLAP;
    const found: Detection[][] = [];
    for (const tile of tiles(reduced.width, reduced.height, PASSES.COARSE_TILE_PX, overlapPx)) {
      found.push(owned(await this.#detectIn(reduced, tile.box, threshold, 1), tile, overlapPx));
    }
    return found;
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

  #above(faces: readonly Detection[]): Detection[] {
    return faces.filter((face) => face.score > this.threshold);
  }
}

interface ScaledTile {
  readonly scale: number;
  readonly tile: Tile;
}

const scaling = (x: number, y: number) => [x, 0, 0, 0, y, 0] as const;

function allTiles(image: Rgb): ScaledTile[] {
  return tileScales(image.width, image.height, SIDE_PX).flatMap((scale) =>
    tiles(image.width, image.height, round(SIDE_PX / scale)).map((tile) => ({ scale, tile })),
  );
}

const resized = (image: Rgb, width: number, height: number): Rgb => resize(image, width, height, undefined, 2);

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

/** The faces up to a size, each once. */
function small(faces: readonly Detection[], largestPx: number): Detection[] {
  const fits = faces.filter((face) => longerSide(face.box) <= largestPx);
  const kept = geometry.nms(fits.map((face) => face.box), fits.map((face) => face.score), 0.1);
  return kept.map((i) => fits[i]!);
}
