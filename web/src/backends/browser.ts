// Prediction in the browser: requests to the worker that runs the networks. No image leaves the device.

import type { Explanation } from "../explanation/overlay";
import type { Point } from "../maths/geometry";
import type { Face } from "../results";
import type { Loaded, Pixels, Request } from "../worker";

interface Waiting {
  resolve(value: unknown): void;
  reject(error: Error): void;
  progress?(share: number): void;
}

export class BrowserNetworks {
  readonly #worker = new Worker(new URL("../worker.ts", import.meta.url), { type: "module", name: "networks" });
  readonly #waiting = new Map<number, Waiting>();
  #next = 0;
  #loaded: Promise<Loaded> | null = null;

  constructor() {
    this.#worker.onmessage = ({ data }) => this.#answered(data);
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#failAll(new Error(event.message || "the networks' worker cannot be started"));
    };
  }

  /** Loads the networks once; a failed load is tried again by the next call. */
  load(progress: (share: number) => void): Promise<Loaded> {
    const assets = new URL("assets/", document.baseURI).href;
    const models = new URL("models/", document.baseURI).href;
    this.#loaded ??= this.#ask<Loaded>({ kind: "load", assets, models }, [], progress).catch((error: unknown) => {
      this.#loaded = null;
      throw error;
    });
    return this.#loaded;
  }

  /** The faces of an image, largest first. */
  predict(image: ImageData): Promise<Face[]> {
    const pixels = pixelsOf(image);
    return this.#ask({ kind: "predict", image: pixels }, [pixels.rgba]);
  }

  /** Begin a video: tracks are numbered from 0. */
  startVideo(): Promise<null> {
    return this.#ask({ kind: "start video" });
  }

  /** The faces of a frame with their tracks; `faces`: those that the service predicted, None: predicted here. */
  frame(image: ImageData, timeS: number, faces?: readonly Face[]): Promise<Face[]> {
    const pixels = pixelsOf(image);
    return this.#ask({ kind: "frame", image: pixels, timeS, faces }, [pixels.rgba]);
  }

  /** The occlusion map of one face. */
  explain(
    image: ImageData,
    landmarks: readonly Point[],
    label: string,
    progress: (share: number) => void,
  ): Promise<Explanation> {
    const pixels = pixelsOf(image);
    return this.#ask({ kind: "explain", image: pixels, landmarks, label }, [pixels.rgba], progress);
  }

  #ask<T>(request: Request, transfer: Transferable[] = [], progress?: (share: number) => void): Promise<T> {
    const id = this.#next++;
    return new Promise<T>((resolve, reject) => {
      this.#waiting.set(id, { resolve: resolve as (value: unknown) => void, reject, progress });
      this.#worker.postMessage({ id, request }, transfer);
    });
  }

  #answered(data: { id: number; result?: unknown; error?: string; progress?: number }): void {
    const waiting = this.#waiting.get(data.id);
    if (data.progress !== undefined) return waiting?.progress?.(data.progress);
    this.#waiting.delete(data.id);
    if (data.error === undefined) waiting?.resolve(data.result);
    else waiting?.reject(new Error(data.error));
  }

  #failAll(error: Error): void {
    for (const waiting of this.#waiting.values()) waiting.reject(error);
    this.#waiting.clear();
  }
}

/** A copy for the worker. */
const pixelsOf = (image: ImageData): Pixels => ({
  width: image.width,
  height: image.height,
  rgba: image.data.slice().buffer,
});
