// Where faces are recognised: in the browser or by the server. The rest of the page does not know the difference.

import { BrowserNetworks } from "../backends/browser";
import { Server, type ServerModels, TokenNeeded } from "../backends/server";
import type { Explanation } from "../explanation/overlay";
import type { Face } from "../results";
import type { Loaded } from "../worker";

export type Mode = "browser" | "server";

const KEPT = "mien mode";

export class Backend {
  readonly networks = new BrowserNetworks();
  mode: Mode = "browser";
  labels: readonly string[] = [];
  loaded: Loaded | null = null;
  models: ServerModels | null = null;
  #server: Server | null = null;
  #choice = 0;

  /** `progress`: 0 to 1 of what takes long in the browser. */
  constructor(private readonly progress: (text: string, share: number) => void) {}

  get hasServer(): boolean {
    return this.#server !== null;
  }

  /** Look for a server; it is chosen where there is one, unless the user chose otherwise before. */
  async find(): Promise<void> {
    this.#server = await Server.find();
    this.mode = this.#server && recalled() !== "browser" ? "server" : "browser";
  }

  /** Recognise there from now on. Raises `TokenNeeded` where the server wants one. */
  async choose(mode: Mode, token?: string): Promise<void> {
    const choice = ++this.#choice;
    this.mode = mode;
    if (mode === "server") {
      if (!this.#server) throw new Error("there is no server at this address");
      if (token !== undefined) this.#server.useToken(token);
      const models = await this.#server.models();
      if (choice !== this.#choice) return;
      this.models = models;
      this.labels = models.weights.find((one) => one.name === models.default)?.labels ?? [];
    } else {
      const loaded = await this.#load();
      if (choice === this.#choice) this.labels = loaded.labels;
    }
  }

  /** Whether the user chose the mode before. */
  get remembered(): boolean {
    return recalled() !== null;
  }

  /** For the next time that the page is opened. */
  remember(mode: Mode): void {
    try {
      localStorage.setItem(KEPT, mode);
    } catch {
      // the choice holds until the page is closed
    }
  }

  async predict(image: ImageData, file: Blob): Promise<Face[]> {
    if (this.mode === "server") return this.#server!.predict(file);
    await this.#load();
    return this.networks.predict(image);
  }

  /** The faces of a frame of a video, with tracks. */
  async frame(image: ImageData, timeS: number): Promise<Face[]> {
    if (this.mode === "browser") {
      await this.#load();
      return this.networks.frame(image, timeS);
    }
    return this.networks.frame(image, timeS, await this.#server!.predict(await asPng(image)));
  }

  /**
   * The occlusion map of a face, by the network that predicted it. `index`: of the face among those of the image;
   * `file`: the image's, where there is one.
   */
  async explain(image: ImageData, file: Blob | null, face: Face, index: number, label: string): Promise<Explanation> {
    if (this.mode === "server") return this.#server!.explain(file ?? (await asPng(image)), index, label);
    await this.#load();
    return this.networks.explain(image, face.landmarks ?? [], label, (share) => this.progress(`Explaining ${label}`, share));
  }

  async #load(): Promise<Loaded> {
    this.loaded = await this.networks.load((share) => this.progress("Loading the networks", share));
    return this.loaded;
  }
}

export { TokenNeeded };

/** Without loss, so that the server sees the same pixels. */
function asPng(image: ImageData): Promise<Blob> {
  const canvas = new OffscreenCanvas(image.width, image.height);
  canvas.getContext("2d")!.putImageData(image, 0, 0);
  return canvas.convertToBlob({ type: "image/png" });
}

function recalled(): string | null {
  try {
    return localStorage.getItem(KEPT);
  } catch {
    return null; // the browser keeps nothing
  }
}
