/**
 * Bytes as people write them: text, or hexadecimal digits.
 *
 * @module
 */
import * as z from "zod";
import { LIMITS } from "../limits.ts";
import { ValueError } from "../errors.ts";
import { notText, reading } from "./fields.ts";
import { shown } from "./shown.ts";

/** Text that stands for its UTF-8 bytes. */
export function textBytes(example: string): z.ZodType<Uint8Array, string> {
  return z.string({ error: ({ input }) => notText(input, example) })
    .transform(reading((it: string) => limited(new TextEncoder().encode(it))))
    .meta({ example });
}

/** `0a 1b ff`: pairs of hexadecimal digits, spaces between them allowed. */
export function hexBytes(): z.ZodType<Uint8Array, string> {
  return z.string({ error: ({ input }) => notText(input, '"0a1b"') }).transform(reading(parseHex))
    .meta({ example: "0a 1b ff", unit: "hexadecimal digits" });
}

function parseHex(text: string): Uint8Array {
  const digits = text.replace(/\s/g, "");
  const wrong = /[^0-9a-f]/i.exec(digits)?.[0];
  if (wrong !== undefined) {
    throw new ValueError(
      "HEX_INVALID",
      `${shown(text)} is not hexadecimal: ${shown(wrong)}; write for example "0a 1b ff"`,
    );
  }
  if (digits === "" || digits.length % 2 === 1) {
    throw new ValueError(
      "HEX_INVALID",
      `${shown(text)} has ${digits.length} digits; each byte needs two, for example "0a 1b ff"`,
    );
  }
  return limited(Uint8Array.from(digits.match(/../g) ?? [], (pair) => parseInt(pair, 16)));
}

function limited(bytes: Uint8Array): Uint8Array {
  if (bytes.length <= LIMITS.udpPayloadBytes) return bytes;
  throw new ValueError(
    "BYTES_TOO_LONG",
    `is ${bytes.length} bytes long; a datagram holds at most ${LIMITS.udpPayloadBytes}`,
  );
}
