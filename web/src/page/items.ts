// What was given to the page: images, videos, the camera, each with its faces.

import type { Explanation } from "../explanation/overlay";
import { type Moment, smoothed } from "../pipeline/smoothing";
import { type Row, rowsOf } from "../pipeline/table";
import type { Face } from "../results";
import { SMOOTHING } from "../constants";
import type { Mode } from "./backend";
import { isolated } from "./dom";
import type { VideoFile } from "./video";

export type Kind = "image" | "video" | "camera";

export class Item {
  error: string | null = null;
  done = false;
  /** Whether its file was read: what went wrong afterwards may go right another time. */
  readable = false;
  /** Where its faces were recognised. */
  mode: Mode | null = null;
  /** Of an image. */
  faces: readonly Face[] = [];
  /** Of a video or the camera, in order. */
  readonly moments: Moment[] = [];
  readonly explanations = new Map<string, Explanation>(); // by number of the face, and of the moment
  thumbnail: { readonly plain: HTMLCanvasElement; readonly anonymised: HTMLCanvasElement } | null = null;

  constructor(
    readonly kind: Kind,
    readonly name: string,
    readonly file: Blob | null,
    public video: VideoFile | null = null,
  ) {}

  /** Whether it failed in a way that trying again may help. */
  get failed(): boolean {
    return this.done && this.error !== null && this.readable && this.file !== null;
  }

  /** As it was given; a video begins again. */
  reset(): void {
    [this.error, this.done, this.faces] = [null, false, []];
    this.moments.length = 0;
    this.explanations.clear();
  }

  /** One more frame; scores are smoothed over time: a camera's with those before only. */
  add(timeS: number, faces: readonly Face[]): Moment {
    this.moments.push({ timeS, faces });
    const near = this.moments.slice(-200).filter((one) => one.timeS >= timeS - 2 * SMOOTHING.WINDOW_S);
    for (let i = this.moments.length - 1; i >= 0 && this.moments[i]!.timeS >= timeS - SMOOTHING.WINDOW_S; i--) {
      const moment = this.moments[i]!;
      this.moments[i] = { ...moment, faces: smoothed(moment, near) };
      if (this.kind === "camera") break;
    }
    return this.moments.at(-1)!;
  }

  /** The classes of its predictions; none before there is one. */
  get labels(): string[] {
    const face = [this, ...this.moments].find(({ faces }) => faces.length)?.faces[0];
    return Object.keys(face?.expression ?? {});
  }

  /** The numbers of the people in it. */
  get tracks(): number[] {
    const numbers = new Set(this.moments.flatMap((moment) => moment.faces.map((face) => face.track ?? 0)));
    return [...numbers].sort((a, b) => a - b);
  }

  rows(labels: readonly string[]): Row[] {
    if (this.kind === "image") {
      if (this.error !== null) return rowsOf({ source: this.name, faces: [], error: this.error }, labels);
      return this.done ? rowsOf({ source: this.name, faces: this.faces }, labels) : [];
    }
    const rows = this.moments.flatMap(({ timeS, faces }, frame) =>
      rowsOf({ source: this.name, faces, frame, timeS: Number(timeS.toFixed(6)) }, labels),
    );
    return this.error === null ? rows : [...rows, ...rowsOf({ source: this.name, faces: [], error: this.error }, labels)];
  }

  /** A line about it. */
  get summary(): string {
    if (this.error !== null) return this.error;
    if (!this.done && !this.moments.length) return "waiting";
    if (this.kind !== "image") {
      const count = this.tracks.length;
      return `${this.moments.length} frames, ${count} track${count === 1 ? "" : "s"}`;
    }
    return countOf(this.faces.length);
  }
}

const countOf = (faces: number): string => (faces === 0 ? "no face" : faces === 1 ? "1 face" : `${faces} faces`);

/** The line below what is shown. */
export function noteOn(item: Item, anonymise: boolean): string {
  if (item.error !== null) return `${isolated(item.name)}: ${item.error}`;
  const parts = [item.summary];
  if (anonymise) parts.push("detected faces are covered; others are not");
  if (item.kind === "camera" && item.done) parts.push("its frames are not kept, only the table");
  return parts.join(" · ");
}

/** What to say where there is no face. */
export function nothingIn(item: Item | null): string {
  if (item?.failed && !item.moments.length) return "Its faces are not recognised yet.";
  if (item?.error && !item.moments.length) return "There is nothing to recognise faces in.";
  if (item?.done && item.kind === "image") return "No face was detected.";
  return item?.moments.length ? "No face in this frame." : "…";
}
