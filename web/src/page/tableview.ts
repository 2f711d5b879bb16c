// The table on the page, and its downloads.

import { columnsOf, type Row, toCsv, toXlsx } from "../pipeline/table";
import { percent, reasons } from "../results";
import { colourOf } from "./colours";
import { byId, download, make } from "./dom";
import type { Item } from "./items";

const MOST_ROWS = 200; // shown; the downloads have all

const COLUMNS = ["source", "time", "face", "track", "expression", "confidence", "certain", "reason"] as const;
const TEMPORAL = new Set<string>(["time", "track"]); // of videos and the camera only
const NUMBERS = new Set<string>(["time", "face", "track", "confidence"]);

export function showTable(items: readonly Item[], labels: readonly string[]): void {
  const lines = items.flatMap(linesOf);
  byId("table").hidden = !lines.length;
  const columns = COLUMNS.filter((name) => !TEMPORAL.has(name) || items.some((item) => item.kind !== "image"));
  byId("columns").replaceChildren(
    ...columns.map((name) => make("th", { scope: "col", class: NUMBERS.has(name) ? "number" : "" }, name)),
  );
  byId("rows").replaceChildren(...lines.slice(-MOST_ROWS).map((line) => rowOf(line, columns, labels)));
  byId("table-note").textContent =
    lines.length > MOST_ROWS
      ? `The last ${MOST_ROWS} of ${lines.length} rows; the downloads have all, with every column.`
      : "The downloads have every column: boxes, pose, quality, all probabilities.";
}

type Line = Record<(typeof COLUMNS)[number], string>;

function linesOf(item: Item): Line[] {
  const empty: Line = { source: item.name, time: "", face: "", track: "", expression: "", confidence: "", certain: "", reason: "" };
  const frames = item.kind === "image" ? (item.done ? [{ timeS: null, faces: item.faces }] : []) : item.moments;
  const lines = frames.flatMap(({ timeS, faces }) => {
    const time = timeS === null ? "" : `${timeS.toFixed(2)} s`;
    if (!faces.length && item.error === null) return [{ ...empty, time, reason: "no face" }];
    return faces.map((face, i): Line => {
      const scores = face.expression ?? {};
      const best = Object.keys(scores).reduce((a, b) => (scores[b]! > (scores[a] ?? -1) ? b : a), "");
      return {
        source: item.name,
        time,
        face: String(i),
        track: face.track === null ? "" : String(face.track),
        expression: best,
        confidence: best ? percent(scores[best]!) : "",
        certain: face.certain === null ? "" : face.certain ? "yes" : "no",
        reason: reasons(face).join(", "),
      };
    });
  });
  return item.error === null ? lines : [...lines, { ...empty, reason: item.error }];
}

function rowOf(line: Line, columns: readonly (keyof Line)[], labels: readonly string[]): HTMLTableRowElement {
  const cells = columns.map((name) => {
    const dot = name === "expression" && line.expression
      ? make("span", { class: "dot", "--c": colourOf(line.expression, labels), "aria-hidden": "true" })
      : null;
    if (name === "source") return make("td", { class: name, dir: "auto", title: line.source }, line.source);
    return make("td", { class: NUMBERS.has(name) ? "number" : name === "reason" ? "text" : "" }, dot, line[name]);
  });
  return make("tr", {}, ...cells);
}

/** `kind`: csv, json or xlsx. */
export async function downloadTable(kind: string, items: readonly Item[], labels: readonly string[]): Promise<void> {
  const rows: Row[] = items.flatMap((item) => item.rows(labels));
  const columns = columnsOf(labels);
  if (kind === "xlsx") return download(await toXlsx(rows, columns), "faces.xlsx");
  if (kind === "csv") return download(new Blob([toCsv(rows, columns)], { type: "text/csv" }), "faces.csv");
  download(new Blob([`${JSON.stringify(rows, null, 1)}\n`], { type: "application/json" }), "faces.json");
}
