/**
 * Weighted round robin: laps over the list, each at a level; a destination whose weight reaches the level is chosen, and the
 * level falls by the weights' common divisor from lap to lap.
 *
 * Cells: 0 cursor, the destination chosen last, or `NO_DESTINATION` before the head of the list; 1 level (`cw` in the kernel);
 * 2 top, the level of the first lap (`mw`); 3 step from level to level (`di`).
 *
 * @module
 */
import { greatestCommonDivisor } from "./divisor.ts";
import { type DestinationList, NO_DESTINATION, type Scheduler } from "./scheduler.ts";

const CURSOR = 0;
const LEVEL = 1;
const TOP = 2;
const STEP = 3;

/** `wrr` of kernel 6.1. */
export const wrr: Scheduler = {
  name: "wrr",
  cellCount: 4,
  pick: (_question, list, cells) => pick(list, cells),

  start(list, cells) {
    measure(list, cells);
    cells[LEVEL] = cells[TOP] ?? 0;
  },
  added: change,
  removing() {},
  removed: change,
  edited: change,
};

function pick(list: DestinationList, cells: Int32Array): number {
  const start = cells[CURSOR] ?? NO_DESTINATION;
  const top = cells[TOP] ?? 0;
  const step = cells[STEP] ?? 1;
  if (top === 0) return NO_DESTINATION;

  let level = cells[LEVEL] ?? 0;
  let stop = NO_DESTINATION;
  let isLastLap = false;
  let hasRestarted = false;
  let isWholeLap = start === NO_DESTINATION;
  let destination = isWholeLap ? list.first : list.next(start);
  for (;;) {
    let heaviest = 0;
    for (; destination !== NO_DESTINATION; destination = list.next(destination)) {
      if (!list.overloaded(destination)) {
        const weight = list.weight(destination);
        if (weight >= level) return settle(cells, destination, level, destination);
        if (weight > heaviest) heaviest = weight;
      }
      if (destination === stop) return settle(cells, destination, level, NO_DESTINATION);
    }
    level -= step * (isWholeLap ? emptyLaps(level, step, heaviest) : 1);
    if (level <= 0) {
      level = top;
      if (isLastLap || start === NO_DESTINATION) return settle(cells, NO_DESTINATION, level, NO_DESTINATION);
      hasRestarted = true;
    }
    isLastLap = level <= step;
    // The first lap began behind the cursor; the last one ends at it, and then every destination was asked.
    if (isLastLap && hasRestarted) stop = start;
    isWholeLap = true;
    destination = list.first;
  }
}

function settle(cells: Int32Array, cursor: number, level: number, answer: number): number {
  cells[CURSOR] = cursor;
  cells[LEVEL] = level;
  return answer;
}

/**
 * How many laps to go down from `level` when a whole lap found `heaviest` as the best below it. The kernel walks each of them
 * in vain, up to 2^31 with weights 1 and 2^31-1; the last level is always walked, as it decides how the search ends.
 */
function emptyLaps(level: number, step: number, heaviest: number): number {
  const toLast = Math.floor((level - 1) / step);
  const toHeaviest = heaviest > 0 ? Math.ceil((level - heaviest) / step) : toLast;
  return Math.max(1, Math.min(toLast, toHeaviest));
}

/** Any change starts the lap over and fits the level to the new weights. */
function change(list: DestinationList, cells: Int32Array): void {
  measure(list, cells);
  const level = cells[LEVEL] ?? 0;
  const top = cells[TOP] ?? 0;
  const step = cells[STEP] ?? 1;
  if (level > top || level === 0) cells[LEVEL] = top;
  else if (step > 1) cells[LEVEL] = level - level % step + 1;
}

function measure(list: DestinationList, cells: Int32Array): void {
  let divisor = 0;
  let heaviest = 0;
  for (let it = list.first; it !== NO_DESTINATION; it = list.next(it)) {
    const weight = list.weight(it);
    if (weight <= 0) continue;
    divisor = greatestCommonDivisor(weight, divisor);
    if (weight > heaviest) heaviest = weight;
  }
  const step = divisor === 0 ? 1 : divisor;
  cells[CURSOR] = NO_DESTINATION;
  cells[TOP] = heaviest - (step - 1);
  cells[STEP] = step;
}
