// Assemble a static site that anyone can host: node scripts/site.mjs FOLDER
//
// The built page of the package and the model files that it predicts with.

import { cpSync, mkdirSync, readdirSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const WEIGHTS = ["default", "landmarks68", "yunet-slim", "yunet-slim-robust", "roll"];
const root = resolve(dirname(fileURLToPath(import.meta.url)), "../../src/mien");
if (!process.argv[2]) {
  console.error("name the folder of the site: node scripts/site.mjs FOLDER");
  process.exit(2);
}
const target = resolve(process.argv[2]);
cpSync(join(root, "service/static"), target, { recursive: true });
for (const name of WEIGHTS) {
  const from = join(root, "weights/files", name);
  mkdirSync(join(target, "models", name), { recursive: true });
  const wanted = readdirSync(from).filter((file) => /^(?!.*\.int8).*\.onnx$/.test(file) || file === "manifest.json");
  for (const file of wanted) cpSync(join(from, file), join(target, "models", name, file));
}
console.log(`${target}: serve it with any web server over https (or on localhost)`);
