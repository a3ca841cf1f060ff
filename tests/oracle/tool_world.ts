/**
 * A director alone, as the host of the recordings had it: its interfaces, its schedulers, a clock that stands still.
 *
 * @module
 */
import { Director } from "../../director/director.ts";
import { Store } from "../../director/store.ts";
import { SWITCHES } from "../../director/switches.ts";
import type { SysctlName } from "../../director/sysctl.ts";
import { DirectorError } from "../../errors.ts";
import { DirectorTable } from "../../ipvsadm/director_table.ts";
import type { ConnectionRow } from "../../ipvsadm/table.ts";
import { SeededRandom } from "../../net/random.ts";
import { findScheduler } from "../../schedulers/registry.ts";

const INTERFACES = [{ name: "lo", mtu: 65_536 }, { name: "d0", mtu: 1_500 }, { name: "d1", mtu: 1_500 }];
const CAPACITIES = { services: 1_024, destinations: 4_096, schedulerCells: 1 << 22 };

/** The table with connections that somebody else tells it. */
class RecordedTable extends DirectorTable {
  readonly #rows: () => readonly ConnectionRow[];

  constructor(options: ConstructorParameters<typeof DirectorTable>[0], rows: () => readonly ConnectionRow[]) {
    super(options);
    this.#rows = rows;
  }

  override connections(): Iterable<ConnectionRow> {
    return this.#rows();
  }
}

/** What the tool talks to. */
export class ToolWorld {
  connectionRows: readonly ConnectionRow[] = [];
  readonly table: DirectorTable;
  readonly #director: Director;

  constructor(salt: number) {
    this.#director = new Director({
      store: Store.create({ capacities: CAPACITIES }),
      random: new SeededRandom(1),
      // The recorded kernel was built without twos.
      findScheduler: (name) => name === "twos" ? undefined : findScheduler(name),
    });
    this.table = new RecordedTable(
      { director: this.#director, nowMs: () => 0, interfaces: () => INTERFACES, salt },
      () => this.connectionRows,
    );
  }

  /** As the kernel shows it, undefined when there is no such switch. */
  sysctl(name: string): string | undefined {
    if (!(name in SWITCHES)) return undefined;
    const value = (it: string) => this.#director.sysctl[it as SysctlName];
    return name === "sync_threshold"
      ? `${value(name)}\t${value("sync_threshold_period")}`
      : String(value(name));
  }

  /** False: no such switch, or it does not take the value. */
  setSysctl(name: string, text: string): boolean {
    if (!(name in SWITCHES)) return false;
    try {
      this.#director.sysctl[name as SysctlName] = Number(text);
      return true;
    } catch (error) {
      if (error instanceof DirectorError) return false;
      throw error;
    }
  }
}
