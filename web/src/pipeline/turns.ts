// Faces at any roll: src/mien/pipeline/turns.py.

import { RESULTS, TURNS } from "../constants";
import type { Detection } from "../faces/detection";
import type { Landmarker } from "../faces/landmarks";
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
    const faces = await this.#at(image, detections, 0);
    const doubtful = faces.flatMap((face, i) => (face.margin < TURNS.DOUBTFUL_BELOW ? [i] : []));
    if (!doubtful.length) return faces;
    const others: LocatedFace[][] = [];
    for (const turns of [1, 2, 3]) others.push(await this.#at(image, doubtful.map((i) => detections[i]!), turns));
    doubtful.forEach((i, k) => {
      const best = others.map((ofTurn) => ofTurn[k]!).reduce((a, b) => (b.margin > a.margin ? b : a));
      if (known(best) && best.margin > faces[i]!.margin + TURNS.LEAST_GAIN) faces[i] = best;
    });
    return faces;
  }

  async #detectRotated(image: Rgb, detectionsIn: Detections): Promise<LocatedFace[]> {
    const faces: LocatedFace[] = [];
    for (const turns of [1, 2, 3]) {
      const back = geometry.invert(geometry.quarterTurn(turns, image.width, image.height));
      const inRotated = await detectionsIn(rotated(image, turns));
      const detections = inRotated.map((face) => ({ ...face, box: geometry.transformBox(back, face.box) }));
      faces.push(...(await this.#at(image, detections, turns)).filter(known));
    }
    const kept: LocatedFace[] = [];
    for (const face of faces.sort((a, b) => b.margin - a.margin)) if (!overlaps(face, kept)) kept.push(face);
    return kept;
  }

  /** The faces taken to be upright in the rotated image. */
  async #at(image: Rgb, detections: readonly Detection[], turns: number): Promise<LocatedFace[]> {
    if (!detections.length) return [];
    const matrix = geometry.quarterTurn(turns, image.width, image.height);
    const turned = rotated(image, turns);
    const boxes = detections.map((face) => (turns ? geometry.transformBox(matrix, face.box) : face.box));
    const points = await this.landmarker.locate(turned, boxes);
    const back = geometry.invert(matrix);
    const faces: LocatedFace[] = [];
    for (const [i, detection] of detections.entries()) {
      const inside = points[i]!;
      const landmarks = turns ? inside.map((point) => geometry.transform(back, point)) : inside;
      faces.push({ detection, turns, points: inside, landmarks, margin: await this.measure.margin(turned, inside) });
    }
    return faces;
  }
}

const overlaps = (face: LocatedFace, others: readonly LocatedFace[]): boolean =>
  others.some((other) => geometry.iou(face.detection.box, other.detection.box) > TURNS.SAME_FACE_IOU);
