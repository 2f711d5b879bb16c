// The camera: always its newest frame.

import { pixelsOf } from "./files";
import { wait, within } from "./waiting";

const STILL_MS = 10_000; // without a frame
const NO_FRAMES = "the camera gives no image; check its cover and its switch, or close the program that uses it";

export class Camera {
  #seen = performance.now();

  private constructor(
    private readonly stream: MediaStream,
    private readonly video: HTMLVideoElement,
  ) {}

  static async open(): Promise<Camera> {
    if (!navigator.mediaDevices) throw new Error("the camera needs https or localhost; open the page there");
    let stream: MediaStream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({
        video: { width: { ideal: 1280 }, height: { ideal: 720 }, facingMode: "user" },
      });
    } catch (error) {
      throw new Error(cameraProblem(error as DOMException));
    }
    const video = document.createElement("video");
    Object.assign(video, { muted: true, playsInline: true, srcObject: stream });
    const camera = new Camera(stream, video);
    try {
      await within(STILL_MS, NO_FRAMES, video.play());
      return camera;
    } catch (error) {
      camera.close();
      throw error;
    }
  }

  /** Whether it still gives frames. */
  get live(): boolean {
    return this.stream.active && this.#tracks.some((track) => track.readyState === "live");
  }

  /** The newest frame. A camera that has paused is waited for. */
  async newest(): Promise<ImageData> {
    while (this.#tracks.every((track) => track.muted) && this.live) {
      if (performance.now() - this.#seen > STILL_MS) throw new Error(NO_FRAMES);
      await wait(100);
    }
    this.#seen = performance.now();
    return pixelsOf(this.video);
  }

  close(): void {
    for (const track of this.stream.getTracks()) track.stop();
    this.video.srcObject = null;
  }

  get #tracks(): MediaStreamTrack[] {
    return this.stream.getVideoTracks();
  }
}

function cameraProblem(error: DOMException): string {
  if (error.name === "NotAllowedError") return "the camera is not allowed here; allow it in the browser's address bar";
  if (error.name === "NotFoundError") return "there is no camera";
  if (error.name === "NotReadableError") return "the camera is in use by another program; close that first";
  return `the camera cannot be opened (${error.message || error.name})`;
}
