// A video file, of which frames can be had by their time.

import { pixelsOf } from "./files";
import { Queue, wait, within } from "./waiting";

const STALLED_MS = 30_000;
const NOT_READ = "is not a video that this browser reads; convert it to MP4 or WebM";
const DAMAGED = "the video is damaged here; its rows end before";
const BEYOND_END_S = 1e7;
const PAINT_MS = 2000; // within which a frame is painted
const HIDDEN_MS = 300; // a hidden page paints none, but then they are drawn all the same
const ROUNDING_S = 2e-6; // players count microseconds and round down: 4.1 s would be the frame before

export class VideoFile {
  readonly #video = document.createElement("video");
  readonly #address: string;
  readonly #reads = new Queue(); // a video is at one time only

  private constructor(file: Blob) {
    this.#address = URL.createObjectURL(file);
    Object.assign(this.#video, { muted: true, playsInline: true, preload: "auto" });
  }

  static async open(file: Blob): Promise<VideoFile> {
    const opened = new VideoFile(file);
    try {
      await opened.#load();
      if (!opened.#video.videoWidth) throw new Error("holds no images that this browser reads; convert it to MP4 or WebM");
      if (!Number.isFinite(opened.durationS)) await opened.#findDuration();
      return opened;
    } catch (error) {
      opened.close();
      throw error;
    }
  }

  get durationS(): number {
    return this.#video.duration;
  }

  /** The frame that a player shows at this time. */
  at(timeS: number): Promise<ImageData> {
    return this.#reads.add(() => this.#read(timeS));
  }

  /** The same, or null where it is no longer `wanted` once its turn has come. */
  atIf(wanted: () => boolean, timeS: number): Promise<ImageData | null> {
    return this.#reads.add(async () => (wanted() ? this.#read(timeS) : null));
  }

  close(): void {
    this.#video.removeAttribute("src");
    this.#video.load();
    URL.revokeObjectURL(this.#address);
  }

  async #read(timeS: number): Promise<ImageData> {
    if (this.#video.error) await this.#load(); // a player that met damage stays where it is
    await this.#seek(timeS);
    return pixelsOf(this.#video);
  }

  #load(): Promise<void> {
    const loaded = this.#until("loadeddata", NOT_READ);
    this.#video.src = this.#address;
    return loaded;
  }

  /** Recordings of browsers do not state their length: it is known at their end. */
  async #findDuration(): Promise<void> {
    await this.#seek(BEYOND_END_S);
    if (!Number.isFinite(this.durationS)) throw new Error("does not say how long it is; convert it to MP4 or WebM");
    await this.#seek(0);
  }

  async #seek(timeS: number): Promise<void> {
    const there = this.#until("seeked", DAMAGED);
    const painted = this.#painted();
    this.#video.currentTime = timeS + ROUNDING_S;
    await there;
    await Promise.race([painted, wait(document.hidden ? HIDDEN_MS : PAINT_MS)]); // else the frame before is drawn
  }

  /** When the next frame is there to be drawn. */
  #painted(): Promise<void> {
    const video: Partial<HTMLVideoElement> = this.#video; // Firefox before 132 has no such callback
    return new Promise((resolve) => {
      if (video.requestVideoFrameCallback) this.#video.requestVideoFrameCallback(() => resolve());
      else requestAnimationFrame(() => requestAnimationFrame(() => resolve()));
    });
  }

  /** The next event of this name; `problem`: what it means where an error comes first. */
  #until(event: "loadeddata" | "seeked", problem: string): Promise<void> {
    const heard = new AbortController();
    const options = { once: true, signal: heard.signal };
    const came = new Promise<void>((resolve, reject) => {
      this.#video.addEventListener(event, () => resolve(), options);
      this.#video.addEventListener("error", () => reject(new Error(problem)), options);
    });
    return within(STALLED_MS, `${problem} (nothing came for ${STALLED_MS / 1000} s)`, came).finally(() => heard.abort());
  }
}
