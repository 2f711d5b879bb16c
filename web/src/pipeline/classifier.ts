// The expression network as prediction runs it: src/mien/pipeline/classifier.py.

import { CLASSIFIER } from "../constants";
import { type Rgb, rgb } from "../maths/image";
import { normalise } from "../maths/preprocess";
import { labelsOf, type Manifest } from "./manifest";
import type { Network } from "./network";

const PRIORS = "default";

/** Network, calibration and class prior of one weights manifest. */
export class ExpressionNetwork {
  readonly labels: readonly string[];
  readonly confidenceThreshold: number | null;
  readonly #bias: readonly number[];

  constructor(
    readonly manifest: Manifest,
    private readonly network: Network,
  ) {
    this.labels = labelsOf(manifest);
    this.confidenceThreshold = manifest.confidence_thresholds[PRIORS]?.threshold ?? null;
    const bias = manifest.priors[PRIORS];
    if (!bias || bias.length !== this.labels.length) throw new Error(`the weights ${manifest.name} have no priors`);
    this.#bias = bias;
  }

  /** Aligned faces (S, S, 3) -> the probabilities of each, summing to 1. */
  async probabilities(crops: readonly Rgb[]): Promise<number[][]> {
    const rows: number[][] = [];
    for (let i = 0; i < crops.length; i += CLASSIFIER.BATCH_SIZE) {
      const logits = await this.#logits(crops.slice(i, i + CLASSIFIER.BATCH_SIZE));
      rows.push(...logits.map((row) => calibrated(row, this.manifest.temperature, this.#bias)));
    }
    return rows;
  }

  /** A batch of faces -> the network's outputs, averaged with those of the flipped faces where the manifest says so. */
  async #logits(crops: readonly Rgb[]): Promise<number[][]> {
    const { inputs, tta } = this.manifest;
    const batch = tta ? [...crops, ...crops.map(flipped)] : crops;
    const out = await this.network.run(normalise(inputs, batch), [batch.length, 3, inputs.size_px, inputs.size_px]);
    const classes = this.labels.length;
    const row = (n: number) => Array.from(out.subarray(n * classes, (n + 1) * classes));
    return crops.map((_, n) => {
      if (!tta) return row(n);
      const other = row(crops.length + n);
      return row(n).map((value, k) => Math.fround(Math.fround(value + other[k]!) / 2));
    });
  }
}

/** softmax(logits / temperature + bias). */
export function calibrated(logits: readonly number[], temperature: number, bias: readonly number[]): number[] {
  const scaled = logits.map((value, k) => value / temperature + bias[k]!);
  const most = Math.max(...scaled);
  const powers = scaled.map((value) => Math.exp(value - most));
  const sum = powers.reduce((total, value) => total + value, 0);
  return powers.map((value) => value / sum);
}

function flipped(image: Rgb): Rgb {
  const result = rgb(image.width, image.height);
  for (let y = 0; y < image.height; y++) {
    for (let x = 0; x < image.width; x++) {
      const from = (y * image.width + x) * 3;
      result.data.set(image.data.subarray(from, from + 3), (y * image.width + image.width - 1 - x) * 3);
    }
  }
  return result;
}
