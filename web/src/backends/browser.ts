// Prediction in the browser: requests to the worker that runs the networks. No image leaves the device.

import type { Explanation } from "../explanation/overlay";
import type { Point } from "../maths/geometry";
import type { Face } from "../results";
import type { Loaded, Pixels, Request } from "../worker";

interface Waiting {
  resolve(value: unknown): void;
  reject(error: Error): void;
  readonly minutes: number; // that it may take to the next word
  progress?(share: number): void;
}

const MINUTE_MS = 60_000;
const SILENT_MIN = { load: 15, other: 3 }; // without a word from the worker, while something is asked

export class BrowserNetworks {
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | null = null;
  #next = 0;
  #loaded: Promise<Loaded> | null = null;
  #silence: ReturnType<typeof setTimeout> | undefined;

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
      this.#worker ??= this.#started();
      this.#worker.postMessage({ id, request }, transfer);
      const minutes = request.kind === "load" ? SILENT_MIN.load : SILENT_MIN.other;
      this.#waiting.set(id, { resolve: resolve as (value: unknown) => void, reject, progress, minutes });
      this.#listen();
    });
  }

  #started(): Worker {
    const worker = new Worker(new URL("../worker.ts", import.meta.url), { type: "module", name: "networks" });
    worker.onmessage = ({ data }) => this.#answered(data);
    worker.onmessageerror = () => this.#end(new Error("a result of the networks cannot be read; load the page again"));
    worker.onerror = (event) => {
      event.preventDefault();
      this.#end(new Error(event.message || "the networks' worker cannot be started; load the page again"));
    };
    return worker;
  }

  #answered(data: { id: number; result?: unknown; error?: string; progress?: number }): void {
    const waiting = this.#waiting.get(data.id);
    if (data.progress === undefined) this.#waiting.delete(data.id);
    this.#listen();
    if (data.progress !== undefined) waiting?.progress?.(data.progress);
    else if (data.error === undefined) waiting?.resolve(data.result);
    else waiting?.reject(new Error(data.error));
  }

  /** Browsers end workers without a word. */
  #listen(): void {
    clearTimeout(this.#silence);
    if (!this.#waiting.size) return;
    const minutes = Math.max(...[...this.#waiting.values()].map((waiting) => waiting.minutes));
    const silent = `the networks gave nothing for ${minutes} minutes; the browser may lack memory: load the page again`;
    this.#silence = setTimeout(() => this.#end(new Error(silent)), minutes * MINUTE_MS);
  }

  /** Nothing comes from this worker any more: the next request starts another, which has to load again. */
  #end(error: Error): void {
    clearTimeout(this.#silence);
    this.#worker?.terminate();
    [this.#worker, this.#loaded] = [null, null];
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
