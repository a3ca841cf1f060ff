/**
 * The rooms of the house as data: who stands above whom. ARCHITECTURE.md draws the same table.
 */

/** Rows from the roof down. A room imports from rows below its own, never from its own row or above. */
const ROWS: readonly (readonly string[])[] = [
  ["main.ts"],
  ["cli"],
  ["daemon"],
  ["admin", "ipvsadm"],
  ["engines", "simulator", "doctor", "realserver"],
  ["config"],
  ["director"],
  ["schedulers", "modes", "hooks", "healthcheck"],
  ["packet", "sys"],
];

/** Open to all, themselves included. */
const CELLAR: readonly string[] = ["net", "limits.ts", "errors.ts", "clock.ts", "deno.json"];

/** Stand beside the house: they may enter every room, and only they may enter each other. */
const YARD: readonly string[] = ["tests", "bench", "scripts"];

/** Rooms that compute and touch nothing outside: time, chance and I/O are passed in. */
export const PURE_ROOMS: readonly string[] = ["net", "packet", "schedulers", "modes", "hooks", "director"];

/** The only room that may call foreign functions. */
export const FFI_ROOM = "sys";

/** Room of a file: its top-level folder, or its own name when it lies at the top. */
export function roomOf(path: string): string {
  return path.split("/")[0] ?? path;
}

/** Whether the plan of the house knows this room. */
export function isRoom(room: string): boolean {
  return ROWS.some((row) => row.includes(room)) || CELLAR.includes(room) || YARD.includes(room);
}

/** Whether a file of room `from` may import one of room `to`. */
export function mayImport(from: string, to: string): boolean {
  if (from === to || CELLAR.includes(to)) return true;
  if (YARD.includes(from)) return true;
  const rowOf = (room: string) => ROWS.findIndex((row) => row.includes(room));
  return rowOf(from) >= 0 && rowOf(to) > rowOf(from);
}
