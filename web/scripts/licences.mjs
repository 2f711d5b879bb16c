// The licences of the packages that the page is made of, as text.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

// Packages that leave their licence to their repository: https://github.com/microsoft/onnxruntime/blob/main/LICENSE
const MICROSOFT = `MIT License

Copyright (c) Microsoft Corporation

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.`;

/** `root`: the folder with package.json; all packages that it depends on at run time, and what these depend on. */
export function licences(root) {
  const { dependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const seen = new Map();
  for (const name of Object.keys(dependencies)) visit(root, name, seen);
  const names = [...seen.keys()].sort();
  const rule = `\n${"-".repeat(80)}\n`;
  const parts = names.map((name) => {
    const { version, licence, text } = seen.get(name);
    return `${name} ${version} (${licence})\n\n${text.trim()}\n`;
  });
  return `The web page of mien (Apache-2.0) holds these packages.\n${rule}${parts.join(rule)}`;
}

function visit(root, name, seen) {
  if (seen.has(name) || name.startsWith("@types/")) return; // types are no part of what is built
  const folder = join(root, "node_modules", name);
  const { version, license, dependencies = {} } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
  const text = file && existsSync(join(folder, file)) ? readFileSync(join(folder, file), "utf8") : name.startsWith("onnxruntime") ? MICROSOFT : license;
  seen.set(name, { version, licence: license ?? "see below", text });
  for (const other of Object.keys(dependencies)) visit(root, other, seen);
}
