// The table that prediction writes, with the columns of src/mien/pipeline/table.py.

import { TABLE } from "../constants";
import { type Face, top } from "../results";

export type Value = string | number | boolean | null;
export type Row = Record<string, Value>;

/** The faces of an image or a frame, or why it could not be read. */
export interface Result {
  readonly source: string;
  readonly faces: readonly Face[];
  readonly error?: string;
  readonly frame?: number;
  readonly timeS?: number;
}

/** Names of the columns for predictions in these classes. */
export const columnsOf = (labels: readonly string[]): string[] => [
  ...TABLE.COLUMNS.filter((name) => name !== "error"),
  ...labels.map((label) => `p_${label}`),
  "error",
];

/** One row per face; without a face one whose `face` is null; of an error one. */
export function rowsOf(result: Result, labels: readonly string[]): Row[] {
  const empty: Row = Object.fromEntries(columnsOf(labels).map((name) => [name, null]));
  const { source, faces, error } = result;
  if (error !== undefined) return [{ ...empty, source, error }];
  const moment = { source, frame: result.frame ?? 0, time_s: result.timeS ?? null };
  const own = { scores_frame: result.frame ?? null };
  if (!faces.length) return [{ ...empty, ...moment }];
  return faces.map((face, index) => ({ ...empty, ...moment, ...own, face: index, ...valuesOf(face) }));
}

function valuesOf(face: Face): Row {
  const [left, upper, right, bottom] = face.box.map((side) => rounded(side, 2)) as [number, number, number, number];
  const values: Row = { left, top: upper, right, bottom, track: face.track };
  if (face.detection !== null) values.detection = rounded(face.detection, 4);
  if (face.pose) for (const [name, value] of Object.entries(face.pose)) values[name] = rounded(value, 2);
  if (face.quality) {
    for (const [name, digits] of Object.entries(TABLE.DIGITS)) {
      values[name] = rounded(face.quality[name as keyof typeof TABLE.DIGITS], digits);
    }
    values.flags = face.quality.flags.join(" ") || null;
  }
  if (face.expression) {
    values.expression = top(face.expression)[0];
    values.certain = face.certain;
    const millionths = inMillionths(Object.values(face.expression));
    Object.keys(face.expression).forEach((label, k) => (values[`p_${label}`] = millionths[k]! / 1e6));
  }
  if (face.smoothed) {
    const [label, confidence] = top(face.smoothed);
    values.smoothed = label;
    values.smoothed_confidence = rounded(confidence, 6);
  }
  return values;
}

const rounded = (value: number, digits: number): number => Number(value.toFixed(digits));

/** Six decimals that still sum to exactly one: the largest takes what rounding down left. */
function inMillionths(values: readonly number[]): number[] {
  const floors = values.map((value) => Math.trunc(value * 1e6));
  const rest = 1e6 - floors.reduce((sum, value) => sum + value, 0);
  floors[values.indexOf(Math.max(...values))]! += rest;
  return floors;
}

/** As Python's csv module writes it: null as an empty field, booleans as True and False. */
export function toCsv(rows: readonly Row[], columns: readonly string[]): string {
  const field = (value: Value): string => {
    if (value === null) return "";
    if (typeof value === "boolean") return value ? "True" : "False";
    const text = String(value);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const lines = rows.map((row) => columns.map((name) => field(row[name] ?? null)).join(","));
  return [columns.join(","), ...lines, ""].join("\r\n");
}

/** An Excel workbook: a bold heading that stays in view; text is text, never a formula. */
export async function toXlsx(rows: readonly Row[], columns: readonly string[]): Promise<Blob> {
  const { default: write } = await import("write-excel-file/browser");
  const heading = columns.map((name) => ({ value: name, fontWeight: "bold" as const }));
  const cell = (value: Value) => (typeof value === "string" ? { value, type: String } : value);
  const body = rows.map((row) => columns.map((name) => cell(row[name] ?? null)));
  return write([heading, ...body], { sheet: "faces", stickyRowsCount: 1 }).toBlob();
}
