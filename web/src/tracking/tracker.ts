// Which detections of one moment are the people of the moments before: src/mien/tracking/tracker.py.

import { TRACKER } from "../constants";
import * as geometry from "../maths/geometry";
import { type Box, box, centre, height, iou, width } from "../maths/geometry";
import { likeness } from "./appearance";
import { assign } from "./assignment";

/** One person: velocity per second of centre x, y and log of the side, and colours, as last seen. */
interface Track {
  readonly number: number;
  box: Box;
  velocity: [number, number, number];
  colours: readonly number[];
  seenS: number;
  shot: number;
}

type Colours = readonly (readonly number[])[];

/** To be called with the detections of one moment after the other. */
export class Tracker {
  #tracks: Track[] = [];
  #next = 0;
  #shot = 0;

  /** The track number of each box. `colours`: their descriptors. `cut`: another shot begins here. */
  update(timeS: number, boxes: readonly Box[], colours: Colours, cut: boolean): number[] {
    this.#shot += Number(cut);
    const given = new Array<Track | null>(boxes.length).fill(null);
    const inSight = this.#tracks.filter((t) => t.shot === this.#shot && timeS - t.seenS <= TRACKER.COASTING_S);
    match(inSight, given, (track, i) => nearby(track, timeS, boxes[i]!, colours[i]!));
    this.#recall(timeS, boxes, colours, given);
    const tracks = given.map((track, i) => {
      if (track === null) return this.#begin(timeS, boxes[i]!, colours[i]!);
      this.#seen(track, timeS, boxes[i]!, colours[i]!, crowded(boxes, i));
      return track;
    });
    const kept = this.#tracks.filter((track) => timeS - track.seenS <= TRACKER.REMEMBERED_S);
    this.#tracks = kept.sort((a, b) => a.seenS - b.seenS).slice(-TRACKER.REMEMBERED_TRACKS);
    return tracks.map((track) => track.number);
  }

  /** Faces that come back: clearly more like one lost track than like any other track. */
  #recall(timeS: number, boxes: readonly Box[], colours: Colours, given: (Track | null)[]): void {
    const lost = this.#tracks.filter((track) => !given.includes(track));
    match(lost, given, (track, i) => {
      const alike = likeness(track.colours, colours[i]!);
      const others = lost.filter((other) => other !== track).map((other) => likeness(other.colours, colours[i]!));
      const rivals = colours.filter((_, k) => k !== i).map((rival) => likeness(track.colours, rival));
      const near = track.shot === this.#shot && reachable(track, timeS, boxes[i]!);
      const least = near ? TRACKER.LIKE_NEARBY : TRACKER.LIKE_ANYWHERE;
      const clear = alike - Math.max(0, ...others, ...rivals) >= TRACKER.CLEARLY;
      return alike >= least && clear ? alike : 0;
    });
  }

  #begin(timeS: number, where: Box, colours: readonly number[]): Track {
    const track: Track = { number: this.#next++, box: where, velocity: [0, 0, 0], colours, seenS: timeS, shot: this.#shot };
    this.#tracks.push(track);
    return track;
  }

  #seen(track: Track, timeS: number, where: Box, colours: readonly number[], isCrowded: boolean): void {
    const seconds = timeS - track.seenS;
    if (track.shot !== this.#shot || seconds > TRACKER.COASTING_S) {
      track.velocity = [0, 0, 0];
    } else if (seconds > 0) {
      const [before, now] = [centreAndSide(track.box), centreAndSide(where)];
      const share = TRACKER.VELOCITY;
      track.velocity = track.velocity.map(
        (v, k) => (1 - share) * v + (share * (now[k]! - before[k]!)) / seconds,
      ) as [number, number, number];
    }
    if (!isCrowded) { // beside another face the colours are of both
      track.colours = track.colours.map((v, k) => (1 - TRACKER.NEWEST) * v + TRACKER.NEWEST * colours[k]!);
    }
    Object.assign(track, { box: where, seenS: timeS, shot: this.#shot });
  }
}

/** Assign free boxes to tracks so that the sum of the scores is largest; those of 0 are no match. */
function match(tracks: readonly Track[], given: (Track | null)[], score: (track: Track, i: number) => number): void {
  const free = given.flatMap((track, i) => (track === null ? [i] : []));
  const scores = tracks.map((track) => free.map((i) => score(track, i)));
  for (const [row, column] of assign(scores)) if (scores[row]![column]! > 0) given[free[column]!] = tracks[row]!;
}

/** The box where a track should be now. */
function expected(track: Track, timeS: number): Box {
  const seconds = Math.min(Math.max(timeS - track.seenS, 0), TRACKER.COASTING_S);
  const [x, y] = centre(track.box);
  const [cx, cy] = [x + track.velocity[0] * seconds, y + track.velocity[1] * seconds];
  const growth = Math.exp(Math.min(Math.max(track.velocity[2] * seconds, -0.5), 0.5));
  const [wide, high] = [(width(track.box) * growth) / 2, (height(track.box) * growth) / 2];
  return box(cx - wide, cy - high, cx + wide, cy + high);
}

/** How well a box continues a track in sight, 0 to 1; 0: not at all. */
function nearby(track: Track, timeS: number, where: Box, colours: readonly number[]): number {
  const there = expected(track, timeS);
  const [overlap, distance] = [iou(there, where), distanceOf(there, where)];
  if (overlap === 0 && distance > TRACKER.FARTHEST) return 0;
  const closeness = Math.max(0, 1 - distance / TRACKER.FARTHEST);
  const alike = (likeness(track.colours, colours) - 0.6) / 0.4;
  const score = 0.4 * overlap + 0.25 * closeness + 0.35 * alike;
  return score >= TRACKER.MIN_SCORE ? score : 0;
}

/** Whether a face may have moved from where it was last seen to here: its side every third of a second. */
const reachable = (track: Track, timeS: number, where: Box): boolean =>
  distanceOf(track.box, where) <= TRACKER.FARTHEST + 3 * (timeS - track.seenS);

/** Between the centres in sides of the smaller face. */
function distanceOf(one: Box, other: Box): number {
  const [a, b] = [centreAndSide(one), centreAndSide(other)];
  return Math.hypot(a[0] - b[0], a[1] - b[1]) / Math.exp(Math.min(a[2], b[2]));
}

/** Centre x, y, and the log of the mean side. */
function centreAndSide(b: Box): [number, number, number] {
  const [x, y] = centre(b);
  return [x, y, Math.log(Math.max((width(b) + height(b)) / 2, 1))];
}

/** Whether another face overlaps this one, grown to its hair and shoulders. */
function crowded(boxes: readonly Box[], i: number): boolean {
  const { left, top, right, bottom } = boxes[i]!;
  const side = (right - left + bottom - top) / 4;
  const around = geometry.box(left - side, top - side, right + side, bottom + side);
  return boxes.some((other, k) => k !== i && iou(around, other) > 0.02);
}
