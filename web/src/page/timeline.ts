// The expressions of one track over time, as stacked bands of smoothed probabilities.

import type { Moment } from "../pipeline/smoothing";
import { percent, top } from "../results";
import { colourOf } from "./colours";
import { byId, context, make } from "./dom";

export interface Timeline {
  readonly moments: readonly Moment[];
  readonly labels: readonly string[];
  readonly tracks: readonly number[];
  readonly track: number;
  readonly at: number; // index of the moment that is shown
  readonly durationS: number;
  readonly live: boolean;
}

const LIVE_S = 30; // of the camera are shown
const LAST_S = 0.2; // width of the last moment of a track

export function showTimeline(timeline: Timeline): void {
  const { moments, labels } = timeline;
  const canvas = byId<HTMLCanvasElement>("timeline");
  const density = Math.max(1, devicePixelRatio);
  Object.assign(canvas, { width: Math.round(canvas.clientWidth * density), height: Math.round(84 * density) });
  const last = moments.at(-1)?.timeS ?? 0;
  const [start, end] = timeline.live ? [Math.max(0, last - LIVE_S), Math.max(LIVE_S, last)] : [0, timeline.durationS];
  const x = (timeS: number) => ((timeS - start) / Math.max(end - start, 1e-3)) * canvas.width;
  const drawing = context(canvas);
  drawing.clearRect(0, 0, canvas.width, canvas.height);
  moments.forEach((moment, i) => {
    if (moment.timeS < start) return;
    const face = moment.faces.find((one) => one.track === timeline.track);
    const scores = face?.smoothed ?? face?.expression;
    if (!scores) return;
    const next = moments[i + 1];
    const goesOn = next?.faces.some((one) => one.track === timeline.track);
    const until = goesOn ? next!.timeS : Math.min(next?.timeS ?? end, moment.timeS + LAST_S);
    const [left, right] = [Math.floor(x(moment.timeS)), Math.ceil(x(until))];
    let above = 0;
    for (const label of labels) {
      drawing.fillStyle = colourOf(label, labels);
      const height = (scores[label] ?? 0) * canvas.height;
      drawing.fillRect(left, above, Math.max(right - left, 1), height + 0.5);
      above += height;
    }
  });
  const now = moments[timeline.at];
  if (now && !timeline.live) cursor(drawing, x(now.timeS), canvas.height, density);
  label(timeline, now);
}

function cursor(drawing: CanvasRenderingContext2D, x: number, height: number, density: number): void {
  for (const [colour, width] of [["#000", 4], ["#fff", 2]] as const) {
    drawing.fillStyle = colour;
    drawing.fillRect(x - (width * density) / 2, 0, width * density, height);
  }
}

function label(timeline: Timeline, now: Moment | undefined): void {
  const seek = byId<HTMLInputElement>("seek");
  seek.hidden = timeline.live;
  seek.max = String(Math.max(timeline.moments.length - 1, 0));
  seek.value = String(timeline.at);
  const face = now?.faces.find((one) => one.track === timeline.track);
  const scores = face?.smoothed ?? face?.expression;
  const text = scores ? `${top(scores)[0]} ${percent(top(scores)[1])}` : "not in view";
  seek.setAttribute("aria-valuetext", now ? `${now.timeS.toFixed(1)} seconds, ${text}` : "nothing yet");
  byId("timeline").setAttribute("aria-label", `Smoothed probabilities of track ${timeline.track} over time; the table has the numbers`);
  const track = byId<HTMLSelectElement>("track");
  if (track.options.length !== timeline.tracks.length) {
    track.replaceChildren(...timeline.tracks.map((number) => make("option", { value: String(number) }, String(number))));
  }
  track.value = String(timeline.track);
  const legend = byId("legend");
  if (legend.children.length !== timeline.labels.length) {
    legend.replaceChildren(
      ...timeline.labels.map((name) =>
        make("li", {}, make("span", { class: "dot", "--c": colourOf(name, timeline.labels) }), name),
      ),
    );
  }
}
