// The licences of the packages that the page is made of, as text.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

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
  if (seen.has(name)) return;
  const folder = join(root, "node_modules", name);
  const { version, license, dependencies = {} } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
  const text = file && existsSync(join(folder, file)) ? readFileSync(join(folder, file), "utf8") : `See ${name}'s package.`;
  seen.set(name, { version, licence: license ?? "see below", text });
  for (const other of Object.keys(dependencies)) visit(root, other, seen);
}
