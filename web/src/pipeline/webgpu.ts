// WebGPU is used for a network only where it gives the same outputs as the CPU, and gives them sooner.

import type { Network, Runtime } from "./network";

const TOLERANCE = 1e-3; // of the outputs, times their largest where that is above 1
const FASTER = 0.9; // of the CPU's time

export interface Choice {
  readonly network: Network;
  readonly device: "WebGPU" | "CPU";
  readonly why: string;
}

/** Whether the browser has a graphics adapter that is not emulated on the CPU, and can wait for it (JSPI). */
export async function hasWebGpu(): Promise<boolean> {
  const gpu = (navigator as { gpu?: { requestAdapter(): Promise<unknown> } }).gpu;
  if (!gpu || !("Suspending" in WebAssembly)) return false;
  try {
    const adapter = (await gpu.requestAdapter()) as { info?: { isFallbackAdapter?: boolean } } | null;
    return adapter !== null && adapter.info?.isFallbackAdapter !== true;
  } catch {
    return false;
  }
}

/** The CPU's network, or the same on WebGPU, compared on a generated input of these sizes. */
export async function fastest(runtime: Runtime, model: ArrayBuffer, sizes: readonly number[]): Promise<Choice> {
  const cpu = await runtime.open(model);
  const onCpu = (why: string): Choice => ({ network: cpu, device: "CPU", why });
  let gpu: Network | null = null;
  try {
    gpu = await runtime.open(model, "webgpu");
    const [expected, actual] = [await cpu.run(pattern(sizes), sizes), await gpu.run(pattern(sizes), sizes)];
    const same = close(expected, actual); // and both are warm now
    const faster = same && (await milliseconds(gpu, sizes)) <= FASTER * (await milliseconds(cpu, sizes));
    if (faster) {
      await cpu.close();
      return { network: gpu, device: "WebGPU", why: "same outputs, faster" };
    }
    await gpu.close();
    return onCpu(same ? "WebGPU is not faster here" : "WebGPU gave other outputs");
  } catch {
    return onCpu("WebGPU failed");
  }
}

/** Bent waves, as `mien.weights.golden.pattern` draws them; the values of normalised images. */
function pattern(sizes: readonly number[]): Float32Array<ArrayBuffer> {
  const count = sizes.reduce((product, size) => product * size, 1);
  return Float32Array.from({ length: count }, (_, i) => Math.abs(((i * 7 + Math.floor(i / 96) * 13) % 510) - 255) / 64 - 2);
}

function close(expected: Float32Array, actual: Float32Array): boolean {
  if (expected.length !== actual.length) return false;
  const largest = expected.reduce((most, v) => Math.max(most, Math.abs(v)), 1);
  return expected.every((v, i) => Math.abs(v - actual[i]!) <= TOLERANCE * largest);
}

async function milliseconds(network: Network, sizes: readonly number[]): Promise<number> {
  const x = pattern(sizes);
  let best = Infinity;
  for (let i = 0; i < 3; i++) {
    const start = performance.now();
    await network.run(x, sizes);
    best = Math.min(best, performance.now() - start);
  }
  return best;
}
