// One image to its faces: src/mien/pipeline/recognizer.py.

import { PASSES, UPRIGHT } from "../constants";
import { Landmarker } from "../faces/landmarks";
import { Detector } from "../faces/passes";
import { headPose } from "../faces/pose";
import { faceQuality } from "../faces/quality";
import { UprightMeasure } from "../faces/upright";
import { type Rgb, rotated } from "../maths/image";
import { cropMatrix, warp } from "../maths/preprocess";
import { type Face, flagsOf, isCertain, type Quality, type Scores } from "../results";
import { ExpressionNetwork } from "./classifier";
import { fetchManifest, fetchModel, type Network, openNetwork, startRuntime } from "./network";
import { AnyRoll, type LocatedFace } from "./turns";
import { fastest, hasWebGpu } from "./webgpu";

export class Recognizer {
  readonly #anyRoll: AnyRoll;
  readonly #detector: Detector;

  constructor(
    detector: { readonly network: Network; readonly robust: Network },
    landmarker: Landmarker,
    readonly network: ExpressionNetwork,
    readonly runtime: Runtime,
  ) {
    this.#detector = new Detector(detector.network, detector.robust);
    this.#anyRoll = new AnyRoll(landmarker, new UprightMeasure([detector.network, detector.robust]));
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
export interface Runtime {
  readonly threads: number;
  readonly devices: Readonly<Record<string, string>>; // by name of the weights
}

type Report = (loaded: number, total: number) => void;

/** The default recognizer from the files below `runtime` and `models`. */
export async function load(runtimeFolder: URL, models: URL, report: Report): Promise<Recognizer> {
  const names = ["yunet-slim", "yunet-slim-robust", "landmarks68", "default"] as const;
  let loaded = 0;
  const step = <T>(value: T): T => (report(++loaded, names.length + 1), value);
  const runtime = startRuntime(runtimeFolder).then(step);
  const manifests = await Promise.all(names.map((name) => fetchManifest(models, name)));
  const files = await Promise.all(manifests.map((manifest) => fetchModel(models, manifest).then(step)));
  const threads = await runtime;
  const gpu = await hasWebGpu();
  const devices: Record<string, string> = {};
  const networks: Network[] = [];
  for (const [i, name] of names.entries()) {
    const cpu = await openNetwork(files[i]!);
    const choice = gpu ? await fastest(files[i]!, cpu, sizesOf(name)) : { network: cpu, device: "CPU" };
    networks.push(choice.network);
    devices[name] = choice.device;
  }
  const [network, robust, landmarks, expressions] = networks as [Network, Network, Network, Network];
  return new Recognizer(
    { network, robust },
    new Landmarker(landmarks, manifests[2]!.inputs),
    new ExpressionNetwork(manifests[3]!, expressions),
    { threads, devices },
  );
  function sizesOf(name: string): number[] {
    const manifest = manifests[names.indexOf(name as (typeof names)[number])]!;
    if (name.startsWith("yunet")) return [1, 3, PASSES.PADDED_RETRY_PX, 2 * UPRIGHT.SIDE_PX];
    return [1, 3, manifest.inputs.size_px, manifest.inputs.size_px];
  }
}
