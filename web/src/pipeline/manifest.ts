// Weights manifests: src/mien/weights/manifest.py.

import { LABEL_SETS } from "../constants";
import type { Preprocess } from "../maths/preprocess";

/** What `models/NAME/manifest.json` says, as far as prediction needs it. */
export interface Manifest {
  readonly name: string;
  readonly inputs: Preprocess;
  readonly files: Readonly<Record<string, string>>; // file name -> SHA-256
  readonly labels: string | readonly string[] | null;
  readonly tta: boolean;
  readonly temperature: number;
  readonly priors: Readonly<Record<string, readonly number[]>>;
  readonly confidence_thresholds: Readonly<Record<string, { readonly threshold: number }>>;
}

/** The classes in the order of the outputs. */
export function labelsOf(manifest: Manifest): readonly string[] {
  const labels = typeof manifest.labels === "string" ? LABEL_SETS[manifest.labels] : manifest.labels;
  if (!labels) throw new Error(`the weights ${manifest.name} read no expressions`);
  return labels;
}
