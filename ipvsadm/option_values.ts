/**
 * What each option does to the command being read.
 *
 * @module
 */
import type { MethodName } from "../director/specs.ts";
import { Prefix } from "../net/prefix.ts";
import { PROTOCOL } from "../net/flow.ts";
import { readAddress, readHost } from "./addresses.ts";
import { type Draft, NAME_LENGTH, protocolName } from "./draft.ts";
import { TUNNEL_TYPES } from "../modes/tunnel.ts";
import type { OptionName, Word } from "./grammar.ts";
import type { Names } from "./names.ts";
import { fail } from "./refusal.ts";
import { leadingNumber, readDottedQuad, readIpv6, readNumber } from "./values.ts";

const INT_MAX = 2 ** 31 - 1;
const MARK_MAX = 2 ** 32 - 1;
/** 31 days, seconds. */
const TIMEOUT_MAX = 86_400 * 31;
/** Of a service that is persistent without a number, seconds. The manual says 300. */
const PERSISTENT_DEFAULT = 360;
/** Largest UDP payload. */
const SYNC_LENGTH_MAX = 65_507;

const MULTICAST = { 4: Prefix.parse("224.0.0.0/4"), 6: Prefix.parse("ff00::/8") } as const;
const PROTOCOL_OF: Readonly<Record<string, number>> = {
  "tcp-service": PROTOCOL.tcp,
  "udp-service": PROTOCOL.udp,
  "sctp-service": PROTOCOL.sctp,
};
const METHOD_OF: Readonly<Record<string, MethodName>> = {
  masquerading: "nat",
  ipip: "tun",
  gatewaying: "dr",
};

type Effect = (draft: Draft, argument: string, names: Names, word: Word) => void | Promise<void>;

const nothing: Effect = () => {};

const EFFECTS: Readonly<Partial<Record<OptionName, Effect>>> = {
  "service-address": setService,
  "scheduler": (draft, argument) => {
    draft.scheduler = cut(argument);
  },
  "netmask": setNetmask,
  "real-server": setServer,
  "forwarding-method": (draft, _argument, _names, word) => {
    draft.method = METHOD_OF[word.long] ?? "dr";
  },
  "weight": (draft, argument) => {
    draft.weight = number(argument, 0, INT_MAX, "illegal weight specified");
  },
  "u-threshold": (draft, argument) => {
    draft.upperThreshold = number(argument, 0, INT_MAX, "illegal u_threshold specified");
  },
  "l-threshold": (draft, argument) => {
    draft.lowerThreshold = number(argument, 0, INT_MAX, "illegal l_threshold specified");
  },
  "mcast-interface": (draft, argument) => {
    draft.interfaceName = cut(argument);
  },
  "syncid": (draft, argument) => {
    draft.syncId = number(argument, 0, 255, "illegal syncid specified");
  },
  "ops": (draft) => {
    draft.onePacket = true;
  },
  "pe": (draft, argument) => {
    draft.persistenceEngine = cut(argument);
  },
  "sched-flags": (draft, argument) => {
    draft.flagText = argument;
  },
  "mcast-group": setGroup,
  "mcast-port": (draft, argument) => {
    draft.groupPort = number(argument, 1, 65_535, "illegal mcast-port specified");
  },
  "mcast-ttl": (draft, argument) => {
    draft.ttl = number(argument, 1, 255, "illegal mcast-ttl specified");
  },
  "sync-maxlen": (draft, argument) => {
    draft.maxLength = number(argument, 1, SYNC_LENGTH_MAX, "illegal sync-maxlen specified");
  },
  "tun-type": (draft, argument) => {
    const type = TUNNEL_TYPES.find((it) => it === argument);
    if (type === undefined) throw fail("illegal tunnel type specified");
    draft.tunnelType = type;
  },
  "tun-port": (draft, argument) => {
    draft.tunnelPort = number(argument, 1, 65_535, "illegal tunnel port specified");
  },
  "tun-nocsum": (draft) => {
    draft.checksum = "nocsum";
  },
  "tun-csum": (draft) => {
    draft.checksum = "csum";
  },
  "tun-remcsum": (draft) => {
    draft.checksum = "remcsum";
  },
};

/**
 * Takes one option into the draft.
 *
 * @param argument undefined: none was given
 * @throws {ToolError} given twice, or a value that the option does not take
 */
export async function takeOption(
  draft: Draft,
  word: Word,
  argument: string | undefined,
  names: Names,
): Promise<void> {
  const { option } = word;
  if (option === undefined || option === "sort") return;
  if (option === "lvsd") draft.showsOwn = true;
  else if (option === "json") draft.asJson = true;
  else if (option === "ipv6") {
    if (draft.mark === 0) throw fail("-6 used before -f\n");
    draft.setIpv6();
  } else {
    draft.count(option);
    if (option === "persistent") draft.persistentSeconds = readPersistence(argument);
    else await (EFFECTS[option] ?? nothing)(draft, argument ?? "", names, word);
  }
}

/**
 * A time-out of `-p` or `--set`, seconds.
 *
 * @throws {ToolError}
 */
export function readTimeout(text: string, min: number): number {
  return number(text, min, TIMEOUT_MAX, `invalid timeout value \`${text}' specified`);
}

function readPersistence(argument: string | undefined): number {
  return argument === undefined ? PERSISTENT_DEFAULT : readTimeout(argument, 1);
}

async function setService(draft: Draft, argument: string, names: Names, word: Word): Promise<void> {
  const protocol = PROTOCOL_OF[word.long];
  if (protocol === undefined) {
    const message = `invalid fwmark value \`${argument}' specified`;
    draft.setMark(number(argument, 1, MARK_MAX, message));
    return;
  }
  const read = await readAddress(argument, protocolName(protocol), names);
  if (read === undefined) throw fail("illegal virtual server address[:port] specified");
  draft.setService(protocol, read.address, read.port ?? 0);
}

/** Without a port it has the service's, as far as that is known by now. */
async function setServer(draft: Draft, argument: string, names: Names): Promise<void> {
  const read = await readAddress(argument, protocolName(draft.protocol), names);
  if (read === undefined) throw fail("illegal real server address[:port] specified");
  draft.server = { address: read.address, port: read.port ?? draft.port };
}

async function setNetmask(draft: Draft, argument: string, names: Names): Promise<void> {
  if (draft.family === 6) {
    const length = leadingNumber(argument);
    if (length < 1 || length > 128) throw fail("illegal ipv6 netmask specified");
    draft.netmask = length;
    return;
  }
  const mask = await readHost(argument, names);
  if (mask === undefined) throw fail("illegal virtual server persistent mask specified");
  draft.netmask = mask.words[0] ?? 0;
}

function setGroup(draft: Draft, argument: string): void {
  const family = argument.includes(":") ? 6 : 4;
  const group = family === 6 ? readIpv6(argument) : readDottedQuad(argument);
  if (group === undefined || !MULTICAST[family].contains(group)) {
    throw fail(`invalid IPv${family} mcast-group \`${argument}'`);
  }
  draft.group = group;
}

function number(text: string, min: number, max: number, message: string): number {
  const value = readNumber(text, min, max);
  if (value === undefined) throw fail(message);
  return value;
}

function cut(text: string): string {
  return text.slice(0, NAME_LENGTH);
}
