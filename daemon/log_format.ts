/**
 * One log record as one line, for people or for programs.
 *
 * @module
 */
import type { LogLevel, LogRecord } from "@logtape/logtape";

const COLOURS: Readonly<Record<LogLevel, string>> = {
  trace: "\x1b[2m",
  debug: "\x1b[2m",
  info: "\x1b[32m",
  warning: "\x1b[33m",
  error: "\x1b[31m",
  fatal: "\x1b[31m",
};

/** `2026-11-23T09:00:00.000Z info  service web listens on 127.0.0.1:8080` */
export function formatText(record: LogRecord, colour: boolean): string {
  const level = record.level.padEnd(7);
  const shown = colour ? `${COLOURS[record.level]}${level}\x1b[0m` : level;
  return `${new Date(record.timestamp).toISOString()} ${shown} ${oneLine(messageOf(record))}\n`;
}

/** `{"time":"…","level":"info","message":"…","service":"web",…}`: the record's own fields stand beside the message. */
export function formatJson(record: LogRecord): string {
  return JSON.stringify({
    ...record.properties,
    time: new Date(record.timestamp).toISOString(),
    level: record.level,
    message: messageOf(record),
  }) + "\n";
}

function messageOf(record: LogRecord): string {
  return record.message.map((part) => part instanceof Error ? part.message : String(part)).join("");
}

/** A client-made text with a line break must not look like a record of its own. */
function oneLine(text: string): string {
  // deno-lint-ignore no-control-regex
  return text.replace(/[\x00-\x1f\x7f]/g, (it) => it === "\n" ? " | " : " ");
}
