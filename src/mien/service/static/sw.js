// Offline after the first load: the page's files and the model files are kept in the browser.
//
// Responses get the headers that let pages use threads (COOP, COEP), so that any static host will do.

const VERSION = "fcfab04a6841";
const PAGE = `mien page ${VERSION}`;
const MODELS = "mien models";
const FILES = ["assets/astronaut-C39iLcNU.jpg","assets/browser-CB9WaMml.js","assets/index-BTIbd_7O.css","assets/index-DcjWNb7s.js","assets/ort-1.30.0.mjs","assets/ort-1.30.0.wasm.gz","assets/ort-webgpu-1.30.0.mjs","assets/ort-webgpu-1.30.0.wasm.gz","assets/ort.jspi.min-BRCu08l6.js","assets/ort.wasm.min-C-8u33Sh.js","assets/rolldown-runtime-I1t7kcUN.js","assets/worker-D8W00izN.js","icon.svg","index.html","licences.txt","site.webmanifest"];
const WEIGHTS = ["default", "landmarks68", "yunet-slim", "yunet-slim-robust", "roll"];
const scope = new URL(self.registration.scope);
const fileOf = (url) => (url.pathname.startsWith(scope.pathname) ? url.pathname.slice(scope.pathname.length) : null);

self.addEventListener("install", (event) => {
  event.waitUntil(keepAll().then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  event.waitUntil(forgetOthers().then(() => self.clients.claim()));
});

self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (event.request.method !== "GET" || url.origin !== scope.origin) return;
  const file = fileOf(url);
  if (file === null) return;
  if (file === "" || FILES.includes(file)) event.respondWith(fromPage(event.request, file || "index.html"));
  else if (file.startsWith("models/")) event.respondWith(fromModels(event.request));
});

async function keepAll() {
  const page = await caches.open(PAGE);
  // The runtime with WebGPU is large and kept when it is first used.
  const small = FILES.filter((file) => !file.includes("ort-webgpu"));
  await page.addAll(small.map((file) => new Request(new URL(file, scope), { cache: "no-cache" })));
  for (const name of WEIGHTS) {
    const response = await fromModels(new Request(new URL(`models/${name}/manifest.json`, scope), { cache: "no-cache" }));
    if (!response.ok) throw new Error(`${response.url}: HTTP ${response.status}`);
    const [file, hash] = Object.entries((await response.json()).files).find(([one]) => /^(?!.*\.int8).*\.onnx$/.test(one));
    await fromModels(new Request(new URL(`models/${name}/${file}?v=${hash.slice(0, 12)}`, scope)));
  }
}

async function forgetOthers() {
  const names = await caches.keys();
  await Promise.all(names.filter((name) => name.startsWith("mien page ") && name !== PAGE).map((name) => caches.delete(name)));
}

async function fromPage(request, file) {
  const page = await caches.open(PAGE);
  const kept = await page.match(new URL(file, scope));
  if (kept) return isolated(kept);
  const response = await fetch(request);
  if (response.ok) await page.put(new URL(file, scope), response.clone());
  return isolated(response);
}

/** Networks have their hash in the address; a manifest is asked for anew, and without a network the kept one taken. */
async function fromModels(request) {
  const models = await caches.open(MODELS);
  const kept = await models.match(request.url);
  if (kept && request.url.includes("?v=")) return isolated(kept);
  try {
    const response = await fetch(request);
    if (response.ok) {
      await models.delete(request.url, { ignoreSearch: true });
      await models.put(request.url, response.clone());
    }
    return isolated(response);
  } catch (error) {
    if (kept) return isolated(kept);
    throw error;
  }
}

function isolated(response) {
  if (!response.ok) return response;
  const headers = new Headers(response.headers);
  headers.set("Cross-Origin-Opener-Policy", "same-origin");
  headers.set("Cross-Origin-Embedder-Policy", "require-corp");
  headers.set("Cross-Origin-Resource-Policy", "same-origin");
  return new Response(response.body, { status: response.status, statusText: response.statusText, headers });
}
