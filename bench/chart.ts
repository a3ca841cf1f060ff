/**
 * The ratios as a picture: a bar for each side of each figure, the reference as a line at 1.
 */
import type { FigureResult, Report, SideResult } from "./report.ts";

const WIDTH = 900;
const LABEL_WIDTH = 260;
const ROW_HEIGHT = 16;
const GAP = 14;
const TITLE_HEIGHT = 40;
/** A bar that would be longer is cut, with its number behind it. */
const MOST_RATIO = 3;
const SCALE = (WIDTH - LABEL_WIDTH - 70) / MOST_RATIO;
const COLOURS: Readonly<Record<string, string>> = { "lvsd-native": "#0b6e4f", "lvsd-portable": "#6fb98f" };
const OTHER_COLOUR = "#b0b0b0";

/** SVG of all figures that have ratios. */
export function chart({ figures, machine, threads, rounds }: Report): string {
  const parts: string[] = [];
  let y = TITLE_HEIGHT;
  for (const figure of figures) {
    const rows = figure.sides.filter(({ ratio }) => ratio !== null);
    parts.push(text(8, y + 11, `${figure.name}, divided by ${figure.reference}`, "bold"));
    y += ROW_HEIGHT;
    for (const side of rows) {
      parts.push(bar(side, y));
      y += ROW_HEIGHT;
    }
    parts.push(reference(figure, y, rows.length));
    y += GAP;
  }
  const heading =
    `${machine}; ${threads} thread(s) a side, median of ${rounds} rounds with lowest and highest`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${y}" font-family="sans-serif" font-size="11">`,
    `<rect width="${WIDTH}" height="${y}" fill="white"/>`,
    text(8, 20, heading),
    ...parts,
    "</svg>",
    "",
  ].join("\n");
}

function bar({ side, ratio }: SideResult, y: number): string {
  if (ratio === null) return "";
  const length = Math.min(ratio.median, MOST_RATIO) * SCALE;
  const [from, to] = [ratio.lowest, ratio.highest].map((it) => x(Math.min(it, MOST_RATIO)));
  return [
    text(20, y + 11, side),
    `<rect x="${LABEL_WIDTH}" y="${y + 2}" width="${length.toFixed(1)}" height="${ROW_HEIGHT - 5}" fill="${
      COLOURS[side] ?? OTHER_COLOUR
    }"/>`,
    `<path d="M${from} ${y + 7.5}H${to}" stroke="black"/>`,
    text(Number(to) + 6, y + 11, `${ratio.median.toFixed(2)}x`),
  ].join("\n");
}

function reference({ better }: FigureResult, y: number, rows: number): string {
  const at = x(1);
  const word = better === "more" ? "more is better" : "less is better";
  return [
    `<path d="M${at} ${y - rows * ROW_HEIGHT}V${y}" stroke="#c0392b" stroke-dasharray="3 2"/>`,
    text(WIDTH - 90, y - rows * ROW_HEIGHT - 4, word),
  ].join("\n");
}

function x(ratio: number): string {
  return (LABEL_WIDTH + ratio * SCALE).toFixed(1);
}

function text(left: number, y: number, words: string, weight = "normal"): string {
  const escaped = words.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  return `<text x="${left}" y="${y}" font-weight="${weight}">${escaped}</text>`;
}
