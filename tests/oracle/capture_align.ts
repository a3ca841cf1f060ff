/**
 * Which packet of ours is which of the recorded ones: on each interface in the same order, equal and not more than a second
 * apart.
 *
 * @module
 */
import { Choices, compareFrames } from "./frame_compare.ts";
import { frameText } from "./frame_text.ts";

/** A frame that was sent. */
export interface SentFrame {
  readonly link: string;
  readonly seconds: number;
  readonly bytes: Uint8Array;
}

/** The clocks of sender and capture, and the kernel's timers, agree to this. */
const APART_SECONDS = 1;

/** Compares all that was sent. */
export function alignSent(
  name: string,
  sent: readonly SentFrame[],
  recorded: readonly SentFrame[],
): { equal: number; total: number; difference?: string } {
  const links = [...new Set([...recorded, ...sent].map((it) => it.link))].sort();
  let [equal, total] = [0, 0];
  const differences: { seconds: number; text: string }[] = [];
  for (const link of links) {
    const onLink = (frames: readonly SentFrame[]) => frames.filter((it) => it.link === link);
    const outcome = alignLink(onLink(sent), onLink(recorded));
    equal += outcome.equal;
    total += outcome.total;
    if (outcome.difference !== undefined) differences.push(outcome.difference);
  }
  const [first] = differences.sort((a, b) => a.seconds - b.seconds);
  const begin = recorded[0]?.seconds ?? 0;
  if (first === undefined) return { equal, total };
  const when = (first.seconds - begin).toFixed(3);
  return { equal, total, difference: `${name}: ${when} s after the first packet, ${first.text}` };
}

interface LinkOutcome {
  readonly equal: number;
  readonly total: number;
  readonly difference?: { readonly seconds: number; readonly text: string };
}

function alignLink(sent: readonly SentFrame[], recorded: readonly SentFrame[]): LinkOutcome {
  const pairs = longestCommon(sent, recorded);
  const choices = new Choices();
  let equal = 0;
  let difference: LinkOutcome["difference"];
  for (const [mine, theirs] of pairs) {
    const found = compareFrames(mine.bytes, theirs.bytes, choices);
    if (found === undefined) equal++;
    else difference ??= { seconds: theirs.seconds, text: `${describe(theirs)}: ${found}` };
  }
  const total = Math.max(sent.length, recorded.length);
  const missing = recorded.find((it) => !pairs.some(([, theirs]) => theirs === it));
  const extra = sent.find((it) => !pairs.some(([mine]) => mine === it));
  if (missing !== undefined && missing.seconds <= (difference?.seconds ?? Infinity)) {
    const why = extra === undefined
      ? "was not sent"
      : compareFrames(extra.bytes, missing.bytes, undefined) ?? "was sent at another time";
    const instead = extra === undefined ? "" : `; ours: ${frameText(extra.bytes)}`;
    difference = { seconds: missing.seconds, text: `${describe(missing)}: ${why}${instead}` };
  } else if (extra !== undefined) {
    difference ??= { seconds: extra.seconds, text: `${describe(extra)}: was sent, and not recorded` };
  }
  return difference === undefined ? { equal, total } : { equal, total, difference };
}

function describe({ link, bytes }: SentFrame): string {
  return `${link} ${frameText(bytes)}`;
}

/** Longest common subsequence of equal frames. */
function longestCommon(
  sent: readonly SentFrame[],
  recorded: readonly SentFrame[],
): [mine: SentFrame, theirs: SentFrame][] {
  const width = recorded.length + 1;
  const lengths = new Uint32Array((sent.length + 1) * width);
  const isEqual = sent.map((mine) =>
    recorded.map((theirs) =>
      Math.abs(mine.seconds - theirs.seconds) <= APART_SECONDS &&
      compareFrames(mine.bytes, theirs.bytes, undefined) === undefined
    )
  );
  const at = (i: number, j: number) => lengths[i * width + j] ?? 0;
  for (let i = sent.length - 1; i >= 0; i--) {
    for (let j = recorded.length - 1; j >= 0; j--) {
      lengths[i * width + j] = isEqual[i]?.[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  const pairs: [SentFrame, SentFrame][] = [];
  for (let i = 0, j = 0; i < sent.length && j < recorded.length;) {
    const [mine, theirs] = [sent[i], recorded[j]];
    if (isEqual[i]?.[j] && mine !== undefined && theirs !== undefined) {
      pairs.push([mine, theirs]);
      i++;
      j++;
    } else if (at(i + 1, j) >= at(i, j + 1)) i++;
    else j++;
  }
  return pairs;
}
