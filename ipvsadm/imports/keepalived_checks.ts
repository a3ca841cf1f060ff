/**
 * Checkers of keepalived as health checks. One that lvsd does not have is `off`, never another one.
 *
 * @module
 */
import type { Import, ImportedCheck } from "./imported.ts";
import { isOn, type Statement } from "./keepalived_syntax.ts";
import { scriptWords } from "./keepalived_words.ts";

/** keepalived's defaults, seconds. */
const DEFAULTS = { interval: 60, timeout: 5 } as const;
/** What a checker does about a failure when no level says it. */
const RETRIES: Readonly<Record<string, { readonly retries: number; readonly delay: number }>> = {
  HTTP_GET: { retries: 1, delay: 3 },
  SSL_GET: { retries: 1, delay: 3 },
  MISC_CHECK: { retries: 0, delay: 1 },
};
const USUAL_RETRIES = { retries: 1, delay: 1 } as const;
/** keepalived looks at the status only when nothing else is looked at. */
const ANY_STATUS = "100-599";

/** Checkers that lvsd has no counterpart of, and what they do. */
const WITHOUT: Readonly<Record<string, string>> = {
  SMTP_CHECK: "a mail dialogue",
  DNS_CHECK: "a DNS question",
  BFD_CHECK: "BFD",
  PING_CHECK: "an ICMP echo",
  FILE_CHECK: "a file's content",
};
const WITH = ["TCP_CHECK", "HTTP_GET", "SSL_GET", "MISC_CHECK", "UDP_CHECK"];

/** Whether a statement of a real server is a checker. */
export function isChecker({ words: [name = ""] }: Statement): boolean {
  return WITH.includes(name) || name in WITHOUT;
}

/** The check of a real server; keepalived has none without a checker. `outer` has the service's settings. */
export function checkOf(
  checkers: readonly Statement[],
  outer: readonly Statement[],
  it: Import,
): ImportedCheck {
  const [checker, ...more] = checkers;
  for (const one of more) {
    it.warn(
      one.file,
      one.line,
      `${one.words[0]}: a server has one check in lvsd, which is the first; left out`,
    );
  }
  if (checker === undefined) return "off";
  const [name = ""] = checker.words;
  const what = WITHOUT[name];
  if (what !== undefined) {
    it.warn(checker.file, checker.line, `${name}: lvsd cannot check by ${what}; the check is off`);
    return "off";
  }
  const check = new Checker(checker, outer, it);
  switch (name) {
    case "TCP_CHECK":
      return { type: "tcp", ...check.timing() };
    case "HTTP_GET":
    case "SSL_GET":
      return check.http(name === "SSL_GET");
    case "MISC_CHECK":
      return check.misc();
    default:
      return check.udp();
  }
}

/** What every checker may say beside its own; `without` has no counterpart. */
const KNOWN: ReadonlySet<string> = new Set([
  "connect_timeout",
  "connect_port",
  "retry",
  "nb_get_retry",
  "delay_before_retry",
  "delay_loop",
  "url",
  "virtualhost",
  "misc_path",
  "misc_timeout",
  "misc_dynamic",
  "payload",
  "require_reply",
  "enable_sni",
  "alpha",
]);

class Checker {
  readonly #checker: Statement;
  readonly #outer: readonly Statement[];
  readonly #import: Import;

  constructor(checker: Statement, outer: readonly Statement[], it: Import) {
    this.#checker = checker;
    this.#outer = outer;
    this.#import = it;
    for (const { words: [name = ""], file, line } of checker.block) {
      if (!KNOWN.has(name)) it.warn(file, line, `${checker.words[0]}: ${name} has no counterpart; left out`);
    }
  }

  timing(timeout = this.#number("connect_timeout") ?? DEFAULTS.timeout): Record<string, unknown> {
    const usual = RETRIES[this.#checker.words[0] ?? ""] ?? USUAL_RETRIES;
    const retries = this.#number("retry") ?? this.#number("nb_get_retry") ?? usual.retries;
    const port = this.#number("connect_port");
    return {
      interval: `${this.#interval}s`,
      fastInterval: `${this.#number("delay_before_retry") ?? usual.delay}s`,
      timeout: `${timeout}s`,
      rise: 1,
      fall: Math.min(Math.max(retries + 1, 1), 100),
      ...(port === undefined ? {} : { port }),
      // keepalived's word for servers that have to prove themselves first.
      ...(this.#says("alpha") ? { initialState: "down" } : {}),
    };
  }

  http(isTls: boolean): ImportedCheck {
    const [url, ...more] = this.#checker.block.filter((one) => one.words[0] === "url");
    for (const one of more) this.#warn(one, "url: a check asks for one page in lvsd; left out");
    const settings = url?.block ?? [];
    const value = (name: string) => settings.find((one) => one.words[0] === name)?.words[1];
    const host = value("virtualhost") ?? this.#value("virtualhost");
    const status = settings.find((one) => one.words[0] === "status_code")?.words.slice(1) ?? [];
    const isInverted = settings.some((one) => one.words[0] === "regex_no_match");
    const regex = isInverted ? undefined : value("regex");
    for (const one of settings) {
      const [name = ""] = one.words;
      if (name === "digest") this.#warn(one, "digest: a page is not compared by its digest; left out");
      else if (name === "regex_no_match") {
        this.#warn(one, "regex_no_match: a page is right only by what it has; the regex is left out");
      } else if (!["path", "virtualhost", "status_code", "regex"].includes(name)) {
        this.#warn(one, `${name} has no counterpart; left out`);
      }
    }
    return {
      type: isTls ? "https" : "http",
      ...this.timing(),
      path: value("path") ?? "/",
      ...(host === undefined ? {} : { host }),
      status: status.length === 0
        ? [value("regex") === undefined ? "200-299" : ANY_STATUS]
        : status.map((code) => /^\d+$/.test(code) ? Number(code) : code),
      ...(regex === undefined ? {} : { body: regex }),
    };
  }

  misc(): ImportedCheck {
    const command = scriptWords(this.#value("misc_path") ?? "");
    if (command.length === 0) {
      this.#warn(this.#checker, "MISC_CHECK without misc_path; the check is off");
      return "off";
    }
    const dynamic = this.#checker.block.find((one) => one.words[0] === "misc_dynamic");
    if (dynamic !== undefined) {
      this.#warn(
        dynamic,
        "misc_dynamic: exit codes from 2 on are weights there and failures in lvsd; the check is off",
      );
      return "off";
    }
    // The time that other checkers have to connect in is none of a program's.
    return { type: "exec", ...this.timing(this.#number("misc_timeout") ?? this.#interval), command };
  }

  udp(): ImportedCheck {
    const payload = this.#checker.block.find((one) => one.words[0] === "payload")?.words.slice(1);
    const reply = this.#checker.block.find((one) => one.words[0] === "require_reply");
    if (reply !== undefined) {
      this.#warn(
        reply,
        "require_reply: any answer will do in keepalived, lvsd wants to know which; the check is off",
      );
      return "off";
    }
    return {
      type: "udp",
      ...this.timing(),
      ...(payload === undefined ? {} : { send: { hex: hexBytes(payload) } }),
    };
  }

  #warn({ file, line }: Statement, message: string): void {
    this.#import.warn(file, line, message);
  }

  get #interval(): number {
    return this.#number("delay_loop") ?? DEFAULTS.interval;
  }

  /** Of the checker, else of what surrounds it. */
  #value(name: string): string | undefined {
    return [...this.#checker.block, ...this.#outer].find((one) => one.words[0] === name)?.words[1];
  }

  /** The innermost level that has the switch says whether it is on. */
  #says(name: string): boolean {
    const said = [...this.#checker.block, ...this.#outer].find((one) => one.words[0] === name);
    return said !== undefined && isOn(said);
  }

  #number(name: string): number | undefined {
    const text = this.#value(name);
    return text !== undefined && /^\d+(\.\d+)?$/.test(text) ? Number(text) : undefined;
  }
}

/** keepalived's free form, `Ab12f 3`: two digits are a byte, and so is one that is left over in a word. */
function hexBytes(words: readonly string[]): string {
  return words.flatMap((word) => word.match(/..?/g) ?? []).map((it) => it.padStart(2, "0")).join("");
}
