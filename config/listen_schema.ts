/**
 * Where a virtual service listens: an address, or for a mark several or none.
 *
 * @module
 */
import * as z from "zod";
import type { Endpoint } from "../net/endpoint.ts";
import { IpAddress } from "../net/address.ts";
import { listenAddress, notAddress } from "./addresses.ts";
import { list, word } from "./sections.ts";

/** The first address; for `off` 0.0.0.0:0, which stands for none. */
export interface ListenPlace extends Endpoint {
  /** All addresses; none for `off`. */
  readonly all: readonly Endpoint[];
  readonly isList: boolean;
}

const EXAMPLE = "127.0.0.1:8080";

/** An address, a list of addresses, or `off`. */
export const listenPlace: z.ZodType<ListenPlace, string | string[]> = z.union(
  [
    word("off"),
    listenAddress(EXAMPLE),
    list(listenAddress(EXAMPLE), "[127.0.0.1:8080, 127.0.0.1:8443]")
      .min(1, { error: "{key} is an empty list; for a mark that only rules set write off" }),
  ],
  { error: ({ input }) => notAddress(input, EXAMPLE) },
).transform((written): ListenPlace => {
  const all = written === "off" ? [] : Array.isArray(written) ? written : [written];
  const [first] = all;
  const { address, port } = first ?? { address: new IpAddress(4, new Uint32Array(4)), port: 0 };
  return { address, port, all, isList: Array.isArray(written) };
});
