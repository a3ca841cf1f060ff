/**
 * Packet captures in the classic pcap format, plain or gzipped.
 *
 * @module
 */
import { ValueError } from "../../errors.ts";

/** One captured frame. */
export interface CapturedFrame {
  /** Seconds since 1970. */
  readonly seconds: number;
  readonly bytes: Uint8Array;
}

const MAGIC = { microseconds: 0xa1b2c3d4, nanoseconds: 0xa1b23c4d } as const;
const FILE_HEADER = 24;
const FRAME_HEADER = 16;
const ETHERNET = 1;

/** Reads a file; a name that ends with `.gz` is unpacked. @throws {ValueError} `RECORDING_INVALID` */
export async function readPcap(path: string): Promise<CapturedFrame[]> {
  const file = await Deno.readFile(path);
  if (!path.endsWith(".gz")) return parsePcap(path, file);
  const unpacked = new Response(file).body?.pipeThrough(new DecompressionStream("gzip"));
  return parsePcap(path, new Uint8Array(await new Response(unpacked ?? null).arrayBuffer()));
}

/** @throws {ValueError} `RECORDING_INVALID` */
export function parsePcap(path: string, file: Uint8Array): CapturedFrame[] {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (file.length < FILE_HEADER) throw invalid(path, "too short for a capture");
  const isMagic = (value: number) => value === MAGIC.microseconds || value === MAGIC.nanoseconds;
  const little = isMagic(view.getUint32(0, true));
  if (!little && !isMagic(view.getUint32(0, false))) throw invalid(path, "not a pcap file");
  const perSecond = view.getUint32(0, little) === MAGIC.nanoseconds ? 1e9 : 1e6;
  if ((view.getUint32(20, little) & 0xffff) !== ETHERNET) throw invalid(path, "not of an Ethernet");
  const frames: CapturedFrame[] = [];
  for (let at = FILE_HEADER; at + FRAME_HEADER <= file.length;) {
    const length = view.getUint32(at + 8, little);
    const bytes = file.slice(at + FRAME_HEADER, at + FRAME_HEADER + length);
    if (bytes.length < length || view.getUint32(at + 12, little) !== length) {
      throw invalid(path, `frame ${frames.length + 1} is cut short`);
    }
    frames.push({ seconds: view.getUint32(at, little) + view.getUint32(at + 4, little) / perSecond, bytes });
    at += FRAME_HEADER + length;
  }
  return frames;
}

function invalid(path: string, message: string): ValueError {
  return new ValueError("RECORDING_INVALID", `${path}: ${message}`, { path });
}
