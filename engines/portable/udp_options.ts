/**
 * Options that UDP has no meaning for.
 *
 * @module
 */
import { ValueError } from "../../errors.ts";
import type { BindingOptions } from "../engine.ts";

/** @throws {ValueError} `OPTION_NOT_FOR_UDP` */
export function checkUdpOptions(service: string, { sendProxy, acceptProxyFrom }: BindingOptions): void {
  const refuse = (option: string, why: string) => {
    throw new ValueError("OPTION_NOT_FOR_UDP", `service "${service}": ${why}`, { service, option });
  };
  if (sendProxy === "v1") refuse("sendProxy", "PROXY version 1 cannot say UDP; set sendProxy to v2 or none");
  if (acceptProxyFrom.length > 0) {
    refuse("acceptProxyFrom", "PROXY headers are not accepted over UDP; remove acceptProxyFrom");
  }
}
