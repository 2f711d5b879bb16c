// The line that says where faces are recognised, and by what.

import type { Backend, Mode } from "./backend";
import { byId, make } from "./dom";

export function describeMode(mode: Mode, backend: Backend): void {
  const promise = mode === "browser" ? "In the browser: no image leaves this device." : "Server: images are sent to this server.";
  const rest = mode === "browser" ? ofBrowser(backend) : ofServer(backend);
  byId("mode-line").replaceChildren(make("strong", {}, promise), rest);
  document.documentElement.dataset.mode = mode;
}

function ofBrowser({ loaded }: Backend): string {
  if (!loaded) return "";
  const gpu = Object.values(loaded.devices).some((device) => device.startsWith("WebGPU"));
  const threads = `WebAssembly, ${loaded.threads} thread${loaded.threads === 1 ? "" : "s"}`;
  return ` Networks loaded: ${gpu ? `WebGPU and ${threads}` : threads}.`;
}

function ofServer({ models }: Backend): string {
  const line = ` ${location.host} predicts them and stores none.`;
  return models ? `${line} Weights: ${models.default}, mien ${models.version}.` : line;
}
