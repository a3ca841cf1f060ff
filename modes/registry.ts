/**
 * The forwarding methods by name.
 *
 * @module
 */
import { dr } from "./dr.ts";
import { nat } from "./nat.ts";
import type { ForwardingMethod, ForwardingMethodName } from "./rules.ts";
import { tun } from "./tun.ts";

/** Every forwarding method under the name that a config file uses. */
export const FORWARDING_METHODS: Readonly<Record<ForwardingMethodName, ForwardingMethod>> = { nat, dr, tun };

/** Names of the forwarding methods, the default one first. */
export const FORWARDING_METHOD_NAMES: readonly ForwardingMethodName[] = ["nat", "dr", "tun"];
