// Networks by onnxruntime-web: WebAssembly everywhere, WebGPU where it is there, right and faster.

import type * as Ort from "onnxruntime-web/wasm";
import type { Manifest } from "./manifest";

export interface Network {
  /** One input, its sizes -> the first output. */
  run(x: Float32Array<ArrayBuffer>, sizes: readonly number[]): Promise<Float32Array>;
  close(): Promise<void>;
}

const MOST_THREADS = 4; // the networks are small; more wait for each other

/** ONNX Runtime, started. */
export class Runtime {
  private constructor(
    private readonly ort: typeof Ort,
    readonly threads: number,
  ) {}

  /** The build for the CPU, or the larger one that has WebGPU too; their files are below `folder`. */
  static async start(folder: URL, webGpu: boolean): Promise<Runtime> {
    const ort: typeof Ort = webGpu ? await import("onnxruntime-web/jspi") : await import("onnxruntime-web/wasm");
    const threads = globalThis.crossOriginIsolated ? Math.min(MOST_THREADS, navigator.hardwareConcurrency || 1) : 1;
    const name = `ort-${webGpu ? "webgpu-" : ""}${ort.env.versions.web}`;
    ort.env.logLevel = "error";
    ort.env.wasm.numThreads = threads;
    ort.env.wasm.wasmPaths = { mjs: new URL(`${name}.mjs`, folder).href };
    ort.env.wasm.wasmBinary = await unpacked(new URL(`${name}.wasm.gz`, folder));
    return new Runtime(ort, threads);
  }

  /** A session for a network with one input; its first output counts. */
  async open(model: ArrayBuffer, provider: "wasm" | "webgpu" = "wasm"): Promise<Network> {
    const { ort } = this;
    const session = await ort.InferenceSession.create(new Uint8Array(model), {
      executionProviders: [provider],
      graphOptimizationLevel: "all",
    });
    const [input, output] = [session.inputNames[0]!, session.outputNames[0]!];
    return {
      async run(x, sizes) {
        const results = await session.run({ [input]: new ort.Tensor("float32", x, sizes) });
        const data = ((await results[output]!.getData()) as Float32Array).slice();
        results[output]!.dispose();
        return data;
      },
      close: () => session.release(),
    };
  }
}

/** The bytes of a .gz file; servers that say `Content-Encoding: gzip` have the browser unpack it. */
async function unpacked(address: URL): Promise<ArrayBuffer> {
  const bytes = await fetched(address);
  const head = new Uint8Array(bytes, 0, 2);
  if (head[0] !== 0x1f || head[1] !== 0x8b) return bytes;
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}

async function fetched(address: URL): Promise<ArrayBuffer> {
  let response: Response;
  try {
    response = await fetch(address);
  } catch {
    throw new Error(`${address.pathname} cannot be loaded: the network is down, and it is not stored here yet`);
  }
  if (!response.ok) throw new Error(`${address.pathname} cannot be loaded (HTTP ${response.status})`);
  return response.arrayBuffer();
}

export async function fetchManifest(models: URL, name: string): Promise<Manifest> {
  const bytes = await fetched(new URL(`${name}/manifest.json`, models));
  return JSON.parse(new TextDecoder().decode(bytes)) as Manifest;
}

/** The .onnx file of a manifest, checked against its hash where the browser can (https or localhost). */
export async function fetchModel(models: URL, manifest: Manifest): Promise<ArrayBuffer> {
  const [file, expected] = Object.entries(manifest.files).find(([name]) => /^(?!.*\.int8).*\.onnx$/.test(name)) ?? [];
  if (!file) throw new Error(`the weights ${manifest.name} have no ONNX file`);
  // The hash in the address: other weights are another file to every cache.
  const bytes = await fetched(new URL(`${manifest.name}/${file}?v=${expected!.slice(0, 12)}`, models));
  if (globalThis.crypto?.subtle) {
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
    const actual = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
    if (actual !== expected) throw new Error(`${file} is damaged or of another version; load the page again`);
  }
  return bytes;
}
