// The image with its faces: boxes that can be chosen, labels, landmarks, the explanation.

import { type Explanation, overlay } from "../explanation/overlay";
import { fromRgba, toRgba } from "../maths/image";
import { anonymized } from "../pipeline/anonymize";
import { PALETTE } from "../constants";
import { type Face, percent, reasons, top } from "../results";
import { colourOf, inkOn } from "./colours";
import { byId, context, make } from "./dom";

const CROWD = 12; // faces; among more the labels of those not chosen are left out
const WIDE_PX = 80; // a box, as shown, whose label also has the reason
const FORMS = ["reason", "full", "short"] as const; // of a label, the first that has room

export interface View {
  readonly image: ImageData;
  readonly faces: readonly Face[];
  readonly labels: readonly string[];
  readonly chosen: number;
  readonly anonymise: boolean;
  readonly landmarks: boolean;
  readonly explanation: Explanation | null;
}

const canvas = byId<HTMLCanvasElement>("canvas");
const marks = byId<HTMLCanvasElement>("marks");
const boxes = byId("faces");

/** The face as a sentence, for its button. */
export function sentence(face: Face, index: number): string {
  if (!face.expression) return `Face ${index}`;
  const [label, confidence] = top(face.smoothed ?? face.expression);
  const why = reasons(face);
  const doubt = face.certain === false ? `, uncertain: ${why.join(", ")}` : "";
  return `Face ${index}: ${label}, ${percent(confidence)}${doubt}`;
}

export function show(view: View, choose: (face: number) => void): void {
  const { image } = view;
  if (canvas.width !== image.width || canvas.height !== image.height) {
    for (const one of [canvas, marks]) Object.assign(one, { width: image.width, height: image.height });
  }
  context(canvas).putImageData(view.anonymise ? covered(image, view.faces) : image, 0, 0);
  canvas.setAttribute("aria-label", view.faces.length ? `The image with ${view.faces.length} marked faces` : "The image");
  drawMarks(view);
  placeBoxes(view, choose);
}

/** The image with its faces as squares of mean colours. */
export function covered(image: ImageData, faces: readonly Face[]): ImageData {
  const plain = fromRgba(image.width, image.height, image.data);
  return new ImageData(toRgba(anonymized(plain, faces)), image.width, image.height);
}

/** The copy of an image for the strip. */
export function thumbnail(image: ImageData, width = 204, height = 140): HTMLCanvasElement {
  const full = document.createElement("canvas");
  Object.assign(full, { width: image.width, height: image.height });
  context(full).putImageData(image, 0, 0);
  const small = make("canvas");
  Object.assign(small, { width, height });
  const scale = Math.max(width / image.width, height / image.height);
  const [wide, high] = [image.width * scale, image.height * scale];
  context(small).drawImage(full, (width - wide) / 2, (height - high) / 2, wide, high);
  return small;
}

function drawMarks(view: View): void {
  const drawing = context(marks);
  drawing.clearRect(0, 0, marks.width, marks.height);
  if (view.explanation) {
    const { width, height } = view.image;
    drawing.putImageData(new ImageData(overlay(view.explanation, width, height), width, height), 0, 0);
  }
  if (!view.landmarks) return;
  for (const face of view.faces) {
    const radius = Math.max(0.8, (face.box[2] - face.box[0]) / 110);
    for (const [x, y] of face.landmarks ?? []) {
      for (const [extra, colour] of [[Math.max(0.6, radius / 2), "#000a"], [0, "#fff"]] as const) {
        drawing.fillStyle = colour;
        drawing.beginPath();
        drawing.arc(x, y, radius + extra, 0, 2 * Math.PI);
        drawing.fill();
      }
    }
  }
}

function placeBoxes(view: View, choose: (face: number) => void): void {
  const focused = [...boxes.children].indexOf(document.activeElement as Element);
  boxes.classList.toggle("crowd", view.faces.length > CROWD);
  boxes.replaceChildren(...view.faces.map((face, i) => boxOf(view, face, i, choose)));
  if (focused >= 0) (boxes.children[focused] as HTMLElement | undefined)?.focus();
  placeChips(view);
}

/** Labels as long as there is room: of the chosen face first, the others neither over each other nor over faces. */
function placeChips(view: View): void {
  const buttons = [...boxes.children] as HTMLElement[];
  const outlines = buttons.map((button) => button.getBoundingClientRect());
  const frame = boxes.getBoundingClientRect();
  const placed: DOMRect[] = [];
  const others = view.faces.map((_, i) => i).filter((i) => i !== view.chosen);
  for (const i of view.chosen in view.faces ? [view.chosen, ...others] : others) {
    const faces = outlines.filter((_, other) => other !== i);
    for (const form of FORMS) {
      const chip = chipOf(view, view.faces[i]!, form);
      if (!chip) continue;
      buttons[i]!.append(chip);
      const rect = chip.getBoundingClientRect();
      const inside = rect.left >= frame.left - 1 && rect.right <= frame.right + 1;
      const last = form === "short";
      if ((last || inside) && ![...placed, ...(last || i === view.chosen ? [] : faces)].some((one) => meet(one, rect))) {
        placed.push(rect);
        break;
      }
      chip.remove();
      if (last) buttons[i]!.append(...coveredChip(view, i));
    }
  }
}

/** The label of a face that has no room for it: shown while the face is pointed at. */
function coveredChip(view: View, index: number): HTMLElement[] {
  const chip = chipOf(view, view.faces[index]!, "full");
  chip?.classList.add("covered");
  return chip ? [chip] : [];
}

function meet(one: DOMRect, other: DOMRect): boolean {
  return one.left < other.right && other.left < one.right && one.top < other.bottom && other.top < one.bottom;
}

function boxOf(view: View, face: Face, index: number, choose: (face: number) => void): HTMLButtonElement {
  const { width, height } = view.image;
  const share = (value: number, of: number) => `${(100 * Math.min(Math.max(value, 0), of)) / of}%`;
  const [left, upper, right, bottom] = face.box;
  const button = make("button", {
    type: "button",
    class: face.certain === false ? "face uncertain" : "face",
    "aria-label": sentence(face, index),
    "aria-pressed": String(index === view.chosen),
    "--c": face.expression ? colourOf(top(face.smoothed ?? face.expression)[0], view.labels) : "#FFFFFF",
  });
  Object.assign(button.style, {
    left: share(left, width),
    top: share(upper, height),
    width: share(right - left, width),
    height: share(bottom - upper, height),
  });
  button.onclick = () => choose(index);
  return button;
}

/** The label of a box; null where it has no such form. */
function chipOf(view: View, face: Face, form: (typeof FORMS)[number]): HTMLElement | null {
  if (!face.expression) return null;
  const [label, confidence] = top(face.smoothed ?? face.expression);
  const uncertain = face.certain === false;
  const shown = canvas.clientWidth / view.image.width;
  const [left, upper, right, bottom] = face.box.map((side) => side * shown) as [number, number, number, number];
  const why = form === "reason" && uncertain && right - left > WIDE_PX ? reasons(face).join(", ") : "";
  if (form === "reason" && !why) return null;
  const name = `${form === "short" ? label.slice(0, 3) : label}${uncertain ? "?" : ""}`;
  const colour = uncertain ? PALETTE.UNCERTAIN : colourOf(label, view.labels);
  const lines = why ? 2 : 1;
  const below = upper < 24 * lines;
  const where = below ? (view.image.height * shown - bottom < 24 * lines ? " inner" : " below") : "";
  const far = left > canvas.clientWidth - 150 && right > 150 ? " left" : "";
  return make(
    "span",
    { class: `chip${where}${far}`, "aria-hidden": "true", "--c": colour, "--on-c": inkOn(colour) },
    form === "short" ? name : `${name} ${percent(confidence)}`,
    why ? make("span", { class: "why" }, why) : null,
  );
}
