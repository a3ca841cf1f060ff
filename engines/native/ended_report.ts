/**
 * An ended connection as the log wants it. Texts are made when somebody asks: a log that is off asks for none.
 *
 * @module
 */
import { type Family, formatAddress } from "../../net/address.ts";
import type { EndedConnection } from "../engine.ts";
import type { EventRecord } from "./event_record.ts";

/** Shows a record, which is refilled for each event; the getters are the object's own, so a copy has their values. */
export function endedReport(record: EventRecord): EndedConnection {
  return {
    get service() {
      return record.service;
    },
    get client() {
      return endpointText(record.family, record.client, record.clientPort);
    },
    get destination() {
      const { destinationFamily: family, destinationAddress, destinationPort } = record;
      return family === 0 ? "" : endpointText(family === 6 ? 6 : 4, destinationAddress, destinationPort);
    },
    get reason() {
      return record.reason;
    },
    get durationMs() {
      return record.durationMs;
    },
    get bytesIn() {
      return record.bytesIn;
    },
    get bytesOut() {
      return record.bytesOut;
    },
  };
}

function endpointText(family: Family, words: Uint32Array, port: number): string {
  const address = formatAddress(family, words);
  return family === 6 ? `[${address}]:${port}` : `${address}:${port}`;
}
