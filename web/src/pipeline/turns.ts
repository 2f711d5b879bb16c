// Faces at any roll: src/mien/pipeline/turns.py.

import { RESULTS, TURNS } from "../constants";
import type { Detection } from "../faces/detection";
import type { Landmarker } from "../faces/landmarks";
import { quarters } from "../faces/roll";
import { reducedAndResized } from "../faces/shrinking";
import type { UprightMeasure } from "../faces/upright";
import * as geometry from "../maths/geometry";
import type { Point } from "../maths/geometry";
import { type Rgb, rotated } from "../maths/image";

/** A face that is upright in `rotated(image, turns)`, but for a roll of less than about 90 degrees. */
export interface LocatedFace {
  readonly detection: Detection; // its box in image pixels
  readonly turns: number;
  readonly points: readonly Point[]; // landmarks in the rotated image
  readonly landmarks: readonly Point[]; // the same in the image
  readonly margin: number; // `UprightMeasure`
}

type Detections = (image: Rgb) => Promise<readonly Detection[]>;

const TURNS_TRIED = [0, 1, 2, 3];

const known = (face: LocatedFace): boolean => face.margin >= RESULTS.UP_UNKNOWN_BELOW;

export class AnyRoll {
  constructor(
    private readonly landmarker: Landmarker,
    private readonly measure: UprightMeasure,
  ) {}

  /** The faces of an image, largest first. Where no face has a known up, it is searched at the other quarter turns. */
  async detect(image: Rgb, detectionsIn: Detections): Promise<LocatedFace[]> {
    let faces = await this.locate(image, await detectionsIn(image));
    if (!faces.some(known)) {
      const added = await this.#detectRotated(image, detectionsIn);
      faces = [...added, ...faces.filter((face) => !overlaps(face, added))];
    }
    return faces.sort((a, b) => geometry.area(b.detection.box) - geometry.area(a.detection.box));
  }

  /** The face in each box, in this order: rotated where that way up is clearly better. */
  async locate(image: Rgb, detections: readonly Detection[]): Promise<LocatedFace[]> {
    const rolls = await this.measure.rolls(image, detections.map((face) => face.box));
    const first = rolls.map(firstTurns);
    const tried: LocatedFace[][] = detections.map(() => []);
    const attempt = async (turns: number, wanted: (i: number) => boolean): Promise<void> => {
      const indices = detections.flatMap((_, i) => (wanted(i) ? [i] : []));
      const some = indices.map((i) => detections[i]!);
      const faces = await this.#at(image, some, indices.map((i) => rolls[i]!), turns);
      indices.forEach((i, k) => tried[i]!.push(faces[k]!));
    };
    for (const turns of TURNS_TRIED) await attempt(turns, (i) => first[i] === turns);
    const doubtful = tried.map((faces) => faces[0]!.margin < TURNS.DOUBTFUL_BELOW);
    for (const turns of TURNS_TRIED) await attempt(turns, (i) => doubtful[i]! && first[i] !== turns);
    return tried.map(chosen);
  }

  /** The faces of the other quarter turns: searched in a smaller copy, then in the image where that shows a face. */
  async #detectRotated(image: Rgb, detectionsIn: Detections): Promise<LocatedFace[]> {
    const faces: LocatedFace[] = [];
    const copy = copyOf(image, TURNS.SEARCH_PX);
    for (const turns of [1, 2, 3]) {
      const inCopy = await this.#knownAt(copy, detectionsIn, turns);
      faces.push(...(inCopy.length && copy !== image ? await this.#knownAt(image, detectionsIn, turns) : inCopy));
    }
    const kept: LocatedFace[] = [];
    for (const face of faces.sort((a, b) => b.margin - a.margin)) if (!overlaps(face, kept)) kept.push(face);
    return kept;
  }

  /** The faces detected in the rotated image that are upright there. */
  async #knownAt(image: Rgb, detectionsIn: Detections, turns: number): Promise<LocatedFace[]> {
    const back = geometry.invert(geometry.quarterTurn(turns, image.width, image.height));
    const inRotated = await detectionsIn(rotated(image, turns));
    const detections = inRotated.map((face) => ({ ...face, box: geometry.transformBox(back, face.box) }));
    const rolls = await this.measure.rolls(image, detections.map((face) => face.box));
    return (await this.#at(image, detections, rolls, turns)).filter(known);
  }

  /** The faces taken to be upright in the rotated image. `rolls`: theirs in the image as it is. */
  async #at(
    image: Rgb,
    detections: readonly Detection[],
    rolls: readonly (readonly number[])[],
    turns: number,
  ): Promise<LocatedFace[]> {
    if (!detections.length) return [];
    const matrix = geometry.quarterTurn(turns, image.width, image.height);
    const boxes = detections.map((face) => (turns ? geometry.transformBox(matrix, face.box) : face.box));
    const points = await this.landmarker.locate(rotated(image, turns), boxes);
    const back = geometry.invert(matrix);
    const faces: LocatedFace[] = [];
    for (const [i, detection] of detections.entries()) {
      const inside = points[i]!;
      const landmarks = turns ? inside.map((point) => geometry.transform(back, point)) : inside;
      const margin = await this.measure.margin(image, rolls[i]!, landmarks);
      faces.push({ detection, turns, points: inside, landmarks, margin });
    }
    return faces;
  }
}

/** Of one face at the quarter turns that were tried: upright, unless another is known and clearly better. */
function chosen(tried: readonly LocatedFace[]): LocatedFace {
  const best = tried.reduce((a, b) => (b.margin > a.margin ? b : a));
  const upright = tried.find((face) => !face.turns) ?? best;
  return known(best) && best.margin > upright.margin + TURNS.LEAST_GAIN ? best : upright;
}

/** The quarter turn at which a face is probably upright; in doubt none. */
function firstTurns(rolls: readonly number[]): number {
  const mass = quarters(rolls, 0);
  const most = Math.max(...mass);
  return most > mass[0]! + TURNS.START_GAIN ? mass.indexOf(most) : 0;
}

/** The image with a longer side of at most `longestPx`. */
function copyOf(image: Rgb, longestPx: number): Rgb {
  const scale = longestPx / Math.max(image.width, image.height);
  if (scale >= 1) return image;
  const side = (length: number) => Math.max(1, geometry.round(length * scale));
  return reducedAndResized(image, side(image.width), side(image.height));
}

const overlaps = (face: LocatedFace, others: readonly LocatedFace[]): boolean =>
  others.some((other) => geometry.iou(face.detection.box, other.detection.box) > TURNS.SAME_FACE_IOU);
