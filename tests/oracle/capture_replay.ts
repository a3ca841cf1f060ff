/**
 * Replays a capture: what the recorded director received goes to this one, on a wire of memory and a clock that is moved.
 *
 * @module
 */
import { alignSent, type SentFrame } from "./capture_align.ts";
import { DIRECTOR_MACS } from "./capture_lab.ts";
import type { CaptureRecording, CaptureStep } from "./capture_recording.ts";
import { CaptureWorld } from "./capture_world.ts";
import { hostConversations, isHostTraffic, isHousekeeping } from "./host_traffic.ts";
import { markedPorts } from "./capture_marks.ts";
import { type Reading, readingsOf } from "./capture_reading.ts";
import { isSentBy } from "./frame_origin.ts";

/** How a capture came out. */
export interface CaptureOutcome {
  /** Packets that came out as recorded. */
  readonly equal: number;
  /** Packets that were recorded, or sent beyond that. */
  readonly total: number;
  /** Packets that were received. */
  readonly received: number;
  readonly difference?: string;
}

type Happening =
  | { readonly seconds: number; readonly step: CaptureStep }
  | {
    readonly seconds: number;
    readonly link: string;
    readonly bytes: Uint8Array;
    readonly fromHost: boolean;
  };

/** What the last packet led to is sent by then; what the director would have done later was not recorded. */
const TAIL_SECONDS = 0.1;
/** More differences than this no other reading explains. */
const MOST_MISSED = 8;

/** Replays one case; what the recording leaves open is taken as it fits best. */
export async function replayCapture(recording: CaptureRecording): Promise<CaptureOutcome> {
  let best = await replayAs(recording, { upMs: 0, moments: new Map() });
  for (const change of readingsOf(recording)) {
    const missed = best.total - best.equal;
    if (missed === 0 || missed > MOST_MISSED) break;
    const outcome = await replayAs(recording, { ...best.reading, ...change(best.reading) });
    if (outcome.total - outcome.equal < missed) best = outcome;
  }
  return best;
}

async function replayAs(
  recording: CaptureRecording,
  reading: Reading,
): Promise<CaptureOutcome & { readonly reading: Reading }> {
  const recorded: SentFrame[] = [];
  const happenings: Happening[] = recording.steps.map((step) => ({
    seconds: reading.moments.get(step) ?? step.t,
    step,
  }));
  const all = [...recording.frames].flatMap(([link, frames]) => frames.map((it) => ({ link, ...it })));
  const listeners = hostConversations(all);
  let received = 0;
  let problem: string | undefined;
  for (const { link, seconds, bytes } of all) {
    if (!isSentBy(bytes, DIRECTOR_MACS[link])) {
      happenings.push({ seconds, link, bytes, fromHost: false });
      received++;
      continue;
    }
    if (isHousekeeping(bytes)) continue;
    recorded.push({ link, seconds, bytes });
    if (isHostTraffic(bytes, listeners)) happenings.push({ seconds, link, bytes, fromHost: true });
  }
  happenings.sort((a, b) => a.seconds - b.seconds);
  recorded.sort((a, b) => a.seconds - b.seconds);
  const world = new CaptureWorld(
    happenings[0]?.seconds ?? 0,
    listeners,
    reading.upMs,
    markedPorts(recording),
  );
  for (const happening of happenings) {
    world.advanceTo(happening.seconds);
    if ("step" in happening) {
      problem ??= await world.take(happening.step);
    } else if (happening.fromHost) world.sendFromHost(happening.bytes);
    else world.receive(happening.link, happening.bytes);
  }
  world.advanceTo((happenings.at(-1)?.seconds ?? 0) + TAIL_SECONDS);
  const outcome = { ...alignSent(recording.name, world.sent, recorded), received, reading };
  if (problem === undefined) return outcome;
  const difference = [outcome.difference, `${recording.name}: ${problem}`].filter(Boolean).join("; ");
  return { ...outcome, total: outcome.total + 1, difference };
}
