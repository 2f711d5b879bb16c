// One face in detail: the verdict, why it is uncertain, calibrated bars, measures, the explanation.

import { type Face, percent, ranked, reasons, top } from "../results";
import { colourOf } from "./colours";
import { byId, make } from "./dom";

export interface Panel {
  readonly face: Face | null;
  readonly index: number;
  readonly labels: readonly string[];
  readonly nothing: string; // what to say where there is no face
  readonly explained: string | null; // the class whose explanation is shown
  readonly explaining: boolean;
  readonly live: boolean;
}

export interface PanelActions {
  explain(label: string): void;
  hideExplanation(): void;
}

const FACTS: readonly [string, (face: Face) => string | null][] = [
  ["Detection", (face) => (face.detection === null ? null : percent(face.detection))],
  ["Track", (face) => (face.track === null ? null : String(face.track))],
  ["Yaw, pitch, roll", (face) => face.pose && [face.pose.yaw_deg, face.pose.pitch_deg, face.pose.roll_deg].map(degrees).join(", ")],
  ["Between the eyes", (face) => face.quality && `${face.quality.eye_px.toFixed(0)} px`],
  ["Sharpness", (face) => face.quality && face.quality.sharpness.toFixed(2)],
  ["Light, contrast", (face) => face.quality && `${face.quality.light.toFixed(2)}, ${face.quality.contrast.toFixed(2)}`],
];

const degrees = (value: number): string => `${Math.round(value) || 0}°`; // no -0

export function showPanel(panel: Panel, actions: PanelActions): void {
  const { face } = panel;
  byId("face-title").textContent = face === null ? "Face" : `Face ${panel.index}`;
  const scores = face?.smoothed ?? face?.expression;
  if (!face || !scores) {
    byId("face").replaceChildren(make("p", { class: "muted" }, panel.nothing));
    return;
  }
  const focused = document.activeElement?.id;
  byId("face").replaceChildren(verdict(face, panel), bars(face, panel.labels), facts(face), explanation(panel, top(scores)[0], actions));
  if (focused === "explain") document.getElementById("explain")?.focus();
}

function verdict(face: Face, panel: Panel): HTMLElement {
  const [label, confidence] = top(face.smoothed ?? face.expression!);
  const uncertain = face.certain === false;
  const why = reasons(face);
  const text = `${label}${uncertain ? "?" : ""} ${percent(confidence)}`;
  const line = make("p", { class: "verdict" }, make("span", { class: "dot", "--c": colourOf(label, panel.labels) }), text);
  if (!uncertain) return make("div", {}, line);
  return make("div", {}, line, make("p", { class: "reason" }, `Uncertain: ${why.join(", ")}.`));
}

function bars(face: Face, labels: readonly string[]): HTMLElement {
  const scores = face.smoothed ?? face.expression!;
  const rows = ranked(scores).map(([label, probability]) => {
    const fill = make("div", { class: "fill", "--c": colourOf(label, labels) });
    fill.style.width = `${100 * probability}%`;
    const gauge = make("div", { class: "gauge", "aria-hidden": "true" }, fill);
    return make("li", {}, make("span", {}, label), gauge, make("span", { class: "value" }, percent(probability)));
  });
  const title = face.smoothed ? "Probabilities, smoothed over the track" : "Calibrated probabilities";
  return make("ul", { class: "bars", "aria-label": title }, ...rows);
}

function facts(face: Face): HTMLElement {
  const list = make("dl", { class: "facts" });
  for (const [name, value] of FACTS) {
    const text = value(face);
    if (text !== null) list.append(make("dt", {}, name), make("dd", {}, text));
  }
  const flags = face.quality?.flags.join(", ") || "none";
  list.append(make("dt", {}, "Quality problems"), make("dd", {}, flags));
  return list;
}

function explanation(panel: Panel, label: string, actions: PanelActions): HTMLElement {
  if (panel.live || !panel.face?.landmarks) return make("div");
  const button = make("button", { type: "button", id: "explain" });
  const shown = panel.explained !== null;
  button.textContent = panel.explaining ? "Explaining…" : shown ? "Hide the explanation" : `Explain ${label}`;
  button.disabled = panel.explaining;
  button.onclick = () => (shown ? actions.hideExplanation() : actions.explain(label));
  const legend = `Orange: hiding this part makes ${panel.explained} less probable; blue: more. An occlusion map.`;
  return make("div", {}, button, shown ? make("p", { class: "muted small" }, legend) : null);
}
