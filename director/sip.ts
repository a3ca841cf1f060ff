/**
 * The Call-ID of a SIP message, found as `nf_conntrack_sip.c` finds it for IPVS: the persistence engine `sip`.
 *
 * @module
 */

const CR = 0x0d;
const LF = 0x0a;
const TAB = 0x09;
const SPACE = 0x20;
const COLON = 0x3a;
const AT = 0x40;
const NAME = bytesOf("call-id");
const COMPACT_NAME = bytesOf("i");
/** Bytes of a `word` in RFC 3261, section 25.1. */
const WORD = new Uint8Array(256);
for (
  const byte of bytesOf(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.!%*_+`'~()<>:\\\"/[]?{}",
  )
) {
  WORD[byte] = 1;
}
/** IP_VS_PEDATA_MAXLEN. */
export const LONGEST_CALL_ID = 255;
const NONE = -1;

/**
 * The value of the first `Call-ID` header (or `i`), a view into the payload.
 *
 * @returns undefined when there is none, when it is longer than 255 bytes, or when no line end follows it
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * const text = "INVITE sip:bob@example.net SIP/2.0\r\ni: a84b4c76e66710@pc33\r\n\r\n";
 * const found = callId(new TextEncoder().encode(text));
 * assert.equal(new TextDecoder().decode(found), "a84b4c76e66710@pc33");
 * ```
 */
export function callId(payload: Uint8Array): Uint8Array | undefined {
  for (let at = lineAfter(payload, 0); at !== NONE; at = lineAfter(payload, at)) {
    const start = valueOf(payload, at);
    if (start === NONE) continue;
    const length = callIdLength(payload, start);
    if (length === 0) continue;
    const end = start + length;
    // A value that runs to the end of the datagram may be cut off.
    const isWhole = payload[end] === CR || payload[end] === LF;
    return length <= LONGEST_CALL_ID && isWhole ? payload.subarray(start, end) : undefined;
  }
  return undefined;
}

/** Where the next header line begins, folded ones left out; the request line, which comes first, is none. */
function lineAfter(payload: Uint8Array, from: number): number {
  for (let at = from; at < payload.length; at++) {
    if (payload[at] !== CR && payload[at] !== LF) continue;
    at++;
    if (payload[at - 1] === CR && payload[at] === LF) at++;
    if (at >= payload.length) return NONE;
    if (payload[at] !== SPACE && payload[at] !== TAB) return at;
  }
  return NONE;
}

/** Where the value of a Call-ID header line begins. */
function valueOf(payload: Uint8Array, line: number): number {
  let at: number;
  if (hasName(payload, line, NAME)) at = line + NAME.length;
  // A compact name ends where the letters do: `i` is not `Identity`.
  else if (hasName(payload, line, COMPACT_NAME) && !isLetter(payload[line + 1] ?? 0)) at = line + 1;
  else return NONE;
  at = afterSpace(payload, at);
  if (at === NONE || payload[at] !== COLON) return NONE;
  return afterSpace(payload, at + 1);
}

function hasName(payload: Uint8Array, at: number, name: Uint8Array): boolean {
  for (let i = 0; i < name.length; i++) {
    const byte = payload[at + i] ?? 0;
    if (byte !== name[i] && !(isLetter(byte) && (byte | 0x20) === name[i])) return false;
  }
  return true;
}

/** Behind spaces, and behind a line end when the next line is folded. */
function afterSpace(payload: Uint8Array, from: number): number {
  let at = skipBlanks(payload, from);
  if (payload[at] === CR || payload[at] === LF) {
    at++;
    if (payload[at - 1] === CR && payload[at] === LF) at++;
    if (payload[at] !== SPACE && payload[at] !== TAB) return NONE;
    at = skipBlanks(payload, at);
  }
  return at < payload.length ? at : NONE;
}

function skipBlanks(payload: Uint8Array, from: number): number {
  let at = from;
  while (payload[at] === SPACE || payload[at] === TAB) at++;
  return at;
}

/** `word`, or `word@word`; 0 for anything else. */
function callIdLength(payload: Uint8Array, start: number): number {
  const local = wordLength(payload, start);
  if (local === 0 || payload[start + local] !== AT) return local;
  const domain = wordLength(payload, start + local + 1);
  return domain === 0 ? 0 : local + 1 + domain;
}

function wordLength(payload: Uint8Array, start: number): number {
  let at = start;
  while (WORD[payload[at] ?? 0] === 1) at++;
  return at - start;
}

function isLetter(byte: number): boolean {
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x7a;
}

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
