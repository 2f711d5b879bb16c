// Prediction by the service that the page comes from: POST /v1/predict and /v1/explain.

import type { Explanation } from "../explanation/overlay";
import type { Matrix } from "../maths/geometry";
import type { Face } from "../results";

/** What `GET /v1/models` says, as far as the page needs it. */
export interface ServerModels {
  readonly version: string;
  readonly default: string;
  readonly weights: readonly { readonly name: string; readonly labels: readonly string[] }[];
  readonly limits: { readonly image_mib: number };
}

interface Explained {
  readonly cells: readonly (readonly number[])[];
  readonly crop_px: number;
  readonly matrix: readonly (readonly number[])[];
}

export class TokenNeeded extends Error {}

const TRIES = 6; // of a busy service
const FOUND_MS = 10_000;
const RESPONSE_MS = 120_000;

export class Server {
  #token = "";
  #mostMib = Infinity; // of one image

  /** A service at the address of the page, or null: it is a static site. */
  static async find(): Promise<Server | null> {
    try {
      const response = await fetch(new URL("healthz", document.baseURI), { cache: "no-store", signal: AbortSignal.timeout(FOUND_MS) });
      const isJson = response.headers.get("Content-Type")?.includes("json");
      return response.ok && isJson ? new Server() : null;
    } catch {
      return null;
    }
  }

  /** For all requests from now on; kept as long as the page is open. */
  useToken(token: string): void {
    this.#token = token;
  }

  async models(): Promise<ServerModels> {
    const models = (await this.#fetch("v1/models")) as ServerModels;
    this.#mostMib = models.limits.image_mib;
    return models;
  }

  /** The faces of an image file, largest first. */
  async predict(image: Blob): Promise<Face[]> {
    return ((await this.#post("v1/predict", image)) as { faces: Face[] }).faces;
  }

  /** The occlusion map of one face of an image file; `face`: its number among those predicted. */
  async explain(image: Blob, face: number, label: string): Promise<Explanation> {
    const options = new URLSearchParams({ face: String(face), label });
    const result = (await this.#post(`v1/explain?${options}`, image)) as Explained;
    return { label, cells: result.cells.flat(), sizePx: result.crop_px, matrix: result.matrix.flat() as unknown as Matrix };
  }

  async #post(path: string, image: Blob): Promise<unknown> {
    const mib = image.size / 2 ** 20;
    if (mib > this.#mostMib) {
      throw new Error(`has ${mib.toFixed(1)} MiB; this server reads up to ${this.#mostMib}: make it smaller, or recognise in the browser`);
    }
    const type = image.type.startsWith("image/") ? image.type : "application/octet-stream";
    return this.#fetch(path, { method: "POST", body: image, headers: { "Content-Type": type } });
  }

  async #fetch(path: string, options: RequestInit = {}): Promise<unknown> {
    const headers: Record<string, string> = { ...(options.headers as Record<string, string>) };
    if (this.#token) headers.Authorization = `Bearer ${this.#token}`;
    for (let left = TRIES; ; left--) {
      const signal = AbortSignal.timeout(RESPONSE_MS);
      let response: Response;
      try {
        response = await fetch(new URL(path, document.baseURI), { ...options, headers, signal, cache: "no-store" });
        if (response.ok) return await response.json();
      } catch {
        const late = `the server gave no response within ${RESPONSE_MS / 1000} s`;
        throw new Error(`${signal.aborted ? late : "the server cannot be reached"}; check it, or predict in the browser`);
      }
      if (response.status === 429 && left > 1) {
        await seconds(Number(response.headers.get("Retry-After")) || 1);
        continue;
      }
      const message = await messageOf(response);
      if (response.status !== 401) throw new Error(message);
      throw new TokenNeeded(this.#token ? message : "this server wants a token; enter it above, or recognise in the browser");
    }
  }
}

async function messageOf(response: Response): Promise<string> {
  try {
    const body = (await response.json()) as { error?: { message?: string } };
    if (body.error?.message) return body.error.message.replace(/^image: /, "");
  } catch {
    // not the service's own error: a proxy's
  }
  return `the server refused it (HTTP ${response.status})`;
}

const seconds = (count: number) => new Promise((resolve) => setTimeout(resolve, 1000 * count));
