/**
 * What a capture does not tell, and its packets and listings do: when the director's estimator reads its counters, and when
 * within its run a command took effect that was written down once it was over.
 *
 * @module
 */
import { DIRECTOR_MACS } from "./capture_lab.ts";
import type { CaptureRecording, CaptureStep } from "./capture_recording.ts";
import { isSentBy } from "./frame_origin.ts";

/** One way to read a capture. */
export interface Reading {
  /** For how long the director had been running when the recording begins, milliseconds. */
  readonly upMs: number;
  /** Seconds at which steps took effect, if not when they were written down. */
  readonly moments: ReadonlyMap<CaptureStep, number>;
}

/** A listing of what the kernel's estimator read last. */
const ESTIMATES = /^ipvsadm .*--(stats|rate)\b/;
/** `ip_vs_est.c`: one timer for all that a director counts. */
const ESTIMATION_MS = 2_000;
const COMMAND = /^(ipvsadm|sysctl) /;
/** No command runs longer than this; a client that retries may send so many packets meanwhile. */
const LONGEST_COMMAND_SECONDS = 1;
const MOST_PACKETS = 4;
const MOST_READINGS = 128;

/** Other readings, each as a change of the best so far. */
export function readingsOf(recording: CaptureRecording): ((best: Reading) => Partial<Reading>)[] {
  const moments = momentsOf(recording).map(([step, seconds]) => ({ moments }: Reading) => ({
    moments: new Map([...moments, [step, seconds]]),
  }));
  const phases = recording.steps.some(({ step }) => ESTIMATES.test(step)) ? phasesOf(recording) : [];
  return [...moments.slice(0, MOST_READINGS), ...phases.map((upMs) => () => ({ upMs }))];
}

/** Just before each packet that came while a command ran. */
function momentsOf({ frames, steps }: CaptureRecording): [CaptureStep, number][] {
  const received = [...frames].flatMap(([link, its]) =>
    its.filter(({ bytes }) => !isSentBy(bytes, DIRECTOR_MACS[link])).map(({ seconds }) => seconds)
  ).sort((a, b) => b - a);
  return steps.flatMap((step, i): [CaptureStep, number][] => {
    if (!COMMAND.test(step.step)) return [];
    const begin = Math.max(steps[i - 1]?.t ?? 0, step.t - LONGEST_COMMAND_SECONDS);
    return received.filter((it) => it > begin && it < step.t).slice(0, MOST_PACKETS).map((
      it,
    ) => [step, it - 1e-6]);
  });
}

/** One for every moment between two packets or steps, the longest gaps first. */
function phasesOf({ frames, steps }: CaptureRecording): number[] {
  const times = [...frames.values()].flat().map((it) => it.seconds).concat(steps.map((it) => it.t));
  const begin = Math.min(...times);
  const moments = times.map((it) => ((it - begin) * 1_000) % ESTIMATION_MS).sort((a, b) => a - b);
  const gaps = moments.map((it, i) => ({ at: it, length: (moments[i + 1] ?? ESTIMATION_MS) - it }));
  return gaps.sort((a, b) => b.length - a.length).slice(0, MOST_READINGS)
    .map(({ at, length }) => ESTIMATION_MS - at - length / 2);
}
