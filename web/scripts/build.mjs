// Build the page into src/mien/service/static: node scripts/build.mjs [folder]
//
// The same sources give the same bytes: names carry hashes of contents, and the runtime is packed by fflate, whose
// output depends on no machine.

import { cpSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createHash } from "node:crypto";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "fflate";
import { build } from "vite";
import { licences } from "./licences.mjs";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const target = resolve(process.argv[2] ?? join(root, "../src/mien/service/static"));
const runtime = join(root, "node_modules/onnxruntime-web");

await build({ root, logLevel: "warn", build: { outDir: target, emptyOutDir: true } });
const { version } = JSON.parse(readFileSync(join(runtime, "package.json"), "utf8"));
const assets = join(target, "assets");
mkdirSync(assets, { recursive: true });
for (const [name, file] of [["ort", "ort-wasm-simd-threaded"], ["ort-webgpu", "ort-wasm-simd-threaded.jspi"]]) {
  cpSync(join(runtime, `dist/${file}.mjs`), join(assets, `${name}-${version}.mjs`));
  const wasm = readFileSync(join(runtime, `dist/${file}.wasm`));
  writeFileSync(join(assets, `${name}-${version}.wasm.gz`), gzipSync(wasm, { level: 9, mtime: 0 }));
}
writeFileSync(join(target, "licences.txt"), licences(root));

// The service worker keeps exactly these files; another build is another version of it.
const files = list(target).filter((file) => file !== "sw.js");
const hash = createHash("sha256");
for (const file of files) hash.update(file).update(readFileSync(join(target, file)));
const worker = readFileSync(join(target, "sw.js"), "utf8");
writeFileSync(
  join(target, "sw.js"),
  worker.replace("__VERSION__", hash.digest("hex").slice(0, 12)).replace('"__FILES__"', JSON.stringify(files)),
);
for (const file of list(target)) console.log(String(statSync(join(target, file)).size).padStart(9), file);

function list(folder) {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  const names = entries.filter((entry) => entry.isFile()).map((entry) => relative(folder, join(entry.parentPath, entry.name)));
  return names.map((name) => name.replaceAll("\\", "/")).sort();
}
