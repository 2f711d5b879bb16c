// The networks run here, beside the page, so that it stays usable. One request at a time, in order.

import { occlusionMap } from "./explanation/occlusion";
import type { Explanation } from "./explanation/overlay";
import { box, type Point } from "./maths/geometry";
import { fromRgba, type Rgb } from "./maths/image";
import { cropMatrix, warp } from "./maths/preprocess";
import { load, type Recognizer } from "./pipeline/recognizer";
import type { Face } from "./results";
import { CutDetector, descriptor } from "./tracking/appearance";
import { Tracker } from "./tracking/tracker";

/** What a canvas gives: (height, width, 4). */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly rgba: ArrayBuffer;
}

export type Request =
  | { readonly kind: "load"; readonly assets: string; readonly models: string }
  | { readonly kind: "predict"; readonly image: Pixels }
  | { readonly kind: "start video" }
  | { readonly kind: "frame"; readonly image: Pixels; readonly timeS: number; readonly faces?: readonly Face[] }
  | { readonly kind: "explain"; readonly image: Pixels; readonly landmarks: readonly Point[]; readonly label: string };

/** What runs the networks, and with which weights. */
export interface Loaded {
  readonly threads: number;
  readonly devices: Readonly<Record<string, string>>;
  readonly labels: readonly string[];
  readonly confidenceThreshold: number | null;
}

let recognizer: Recognizer | null = null;
let tracker = new Tracker();
let cuts = new CutDetector();
let queue: Promise<void> = Promise.resolve();

self.onmessage = ({ data }: MessageEvent<{ id: number; request: Request }>) => {
  queue = queue.then(async () => {
    try {
      self.postMessage({ id: data.id, result: await carriedOut(data.request, data.id) });
    } catch (error) {
      self.postMessage({ id: data.id, error: error instanceof Error ? error.message : String(error) });
    }
  });
};

async function carriedOut(request: Request, id: number): Promise<Loaded | readonly Face[] | Explanation | null> {
  if (request.kind === "load") {
    recognizer = await load(new URL(request.assets), new URL(request.models), (loaded, total) =>
      self.postMessage({ id, progress: loaded / total }),
    );
    const { devices, network } = recognizer;
    return { ...devices, labels: network.labels, confidenceThreshold: network.confidenceThreshold };
  }
  if (request.kind === "start video") {
    [tracker, cuts] = [new Tracker(), new CutDetector()];
    return null;
  }
  const image = fromRgba(request.image.width, request.image.height, new Uint8Array(request.image.rgba));
  if (request.kind === "frame") return tracked(image, request.timeS, request.faces ?? (await loaded().predict(image)));
  if (request.kind === "explain") return explained(image, request.landmarks, request.label, id);
  return loaded().predict(image);
}

function loaded(): Recognizer {
  if (recognizer === null) throw new Error("the networks are not loaded");
  return recognizer;
}

/** The faces of a frame with their tracks. */
function tracked(image: Rgb, timeS: number, faces: readonly Face[]): Face[] {
  const cut = cuts.isCut(image);
  const boxes = faces.map((face) => box(...face.box));
  const colours = faces.map((face) => descriptor(image, face.landmarks ?? []));
  const numbers = tracker.update(timeS, boxes, colours, cut);
  return faces.map((face, i) => ({ ...face, track: numbers[i]! }));
}

async function explained(image: Rgb, landmarks: readonly Point[], label: string, id: number): Promise<Explanation> {
  const { network } = loaded();
  const { inputs } = network.manifest;
  const matrix = cropMatrix(inputs, landmarks);
  const at = network.labels.indexOf(label);
  if (at < 0) throw new Error(`${label} is no class of these weights`);
  const probability = async (faces: readonly Rgb[]) => (await network.probabilities(faces)).map((row) => row[at]!);
  const report = (progress: number) => self.postMessage({ id, progress });
  const cells = await occlusionMap(probability, warp(image, matrix, inputs.size_px), report);
  return { label, cells, sizePx: inputs.size_px, matrix };
}

