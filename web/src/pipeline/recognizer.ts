// One image to its faces: src/mien/pipeline/recognizer.py.

import { YUNET } from "../constants";
import { Landmarker } from "../faces/landmarks";
import { Detector } from "../faces/passes";
import { headPose } from "../faces/pose";
import { faceQuality } from "../faces/quality";
import { RollNetwork } from "../faces/roll";
import { UprightMeasure } from "../faces/upright";
import { type Rgb, rotated } from "../maths/image";
import { cropMatrix, warp } from "../maths/preprocess";
import { type Face, flagsOf, isCertain, type Quality, type Scores } from "../results";
import { ExpressionNetwork } from "./classifier";
import type { Manifest } from "./manifest";
import { fetchManifest, fetchModel, type Network, Runtime } from "./network";
import { AnyRoll, type LocatedFace } from "./turns";
import { fastest, hasWebGpu } from "./webgpu";

export class Recognizer {
  readonly #anyRoll: AnyRoll;
  readonly #detector: Detector;

  constructor(
    detector: { readonly network: Network; readonly robust: Network },
    roll: RollNetwork,
    landmarker: Landmarker,
    readonly network: ExpressionNetwork,
    readonly devices: Devices,
  ) {
    this.#detector = new Detector(detector.network, detector.robust);
    this.#anyRoll = new AnyRoll(landmarker, new UprightMeasure(roll, [detector.network, detector.robust]));
  }

  /** The faces of an image as they lie in it, largest first. */
  locate(image: Rgb): Promise<LocatedFace[]> {
    return this.#anyRoll.detect(image, (seen) => this.#detector.detect(seen));
  }

  /** The faces of an image with their expressions, largest first. */
  async predict(image: Rgb): Promise<Face[]> {
    return this.recognise(image, await this.locate(image));
  }

  async recognise(image: Rgb, located: readonly LocatedFace[]): Promise<Face[]> {
    const rows = await this.network.probabilities(located.map((face) => this.crop(image, face)));
    return located.map((face, i) => this.#face(image, face, rows[i]!));
  }

  /** The aligned face that the network sees. */
  crop(image: Rgb, face: LocatedFace): Rgb {
    const { inputs } = this.network.manifest;
    return warp(rotated(image, face.turns), cropMatrix(inputs, face.points), inputs.size_px);
  }

  #face(image: Rgb, face: LocatedFace, probabilities: readonly number[]): Face {
    const pose = headPose(face.landmarks);
    const quality: Quality = { ...faceQuality(image, face.landmarks, pose), upright: face.margin };
    const flags = flagsOf(quality);
    const expression: Scores = Object.fromEntries(this.network.labels.map((label, k) => [label, probabilities[k]!]));
    const threshold = this.network.confidenceThreshold;
    const { left, top, right, bottom } = face.detection.box;
    return {
      box: [left, top, right, bottom],
      detection: face.detection.score,
      landmarks: face.landmarks,
      pose,
      quality: { ...quality, flags },
      expression,
      certain: isCertain(expression, threshold, flags),
      confidence_threshold: threshold,
      track: null,
      smoothed: null,
    };
  }
}

/** What runs the networks. */
export interface Devices {
  readonly threads: number;
  readonly devices: Readonly<Record<string, string>>; // by name of the weights: "CPU" or "WebGPU", and why
}

type Report = (loaded: number, total: number) => void;

const NAMES = ["yunet-slim", "yunet-slim-robust", "roll", "landmarks68", "default"] as const;

/** The default recognizer from the runtime's files below `assets` and the weights below `models`. */
export async function load(assets: URL, models: URL, report: Report): Promise<Recognizer> {
  let loaded = 0;
  const counted = <T>(value: T): T => (report(++loaded, 2 * NAMES.length + 1), value);
  const gpu = await hasWebGpu();
  const starting = Runtime.start(assets, gpu).then(counted);
  const manifests = await Promise.all(NAMES.map((name) => fetchManifest(models, name)));
  const files = await Promise.all(manifests.map((manifest) => fetchModel(models, manifest).then(counted)));
  const runtime = await starting;
  const devices: Record<string, string> = {};
  const networks: Network[] = [];
  for (const [i, name] of NAMES.entries()) {
    const model = files[i]!;
    const choice = gpu ? await fastest(runtime, model, sizesOf(manifests[i]!)) : null;
    networks.push(choice?.network ?? (await runtime.open(model)));
    devices[name] = choice ? `${choice.device} (${choice.why})` : "CPU";
    counted(null);
  }
  const [network, robust, roll, landmarks, expressions] = networks as [Network, Network, Network, Network, Network];
  return new Recognizer(
    { network, robust },
    new RollNetwork(roll, manifests[2]!.inputs),
    new Landmarker(landmarks, manifests[3]!.inputs),
    new ExpressionNetwork(manifests[4]!, expressions),
    { threads: runtime.threads, devices },
  );
}

/** Of an input as each image has it: the detectors' is larger than their manifest's. */
function sizesOf({ name, inputs }: Manifest): number[] {
  const side = name.startsWith("yunet") ? YUNET.SIDE_PX : inputs.size_px;
  return [1, 3, side, side];
}
