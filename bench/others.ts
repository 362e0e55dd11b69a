/** How busy other processes kept the machine during a run: what tells whether a record is worth keeping. */
import { readFileSync } from "node:fs";

/** Processor time in ticks of a hundredth of a second. */
export interface Ticks {
  /** Of all processors and processes, time stolen by the hypervisor included. */
  readonly machine: number;
  /** Of this process and of its children that have ended. */
  readonly own: number;
}

/**
 * @param stat  `/proc/stat`: its first line is cpu, user, nice, system, idle, iowait, irq, softirq, steal, …
 * @param self  `/proc/self/stat`: after the name in brackets, fields 12 to 15 are utime, stime, cutime, cstime.
 */
export function parseTicks(stat: string, self: string): Ticks {
  const [user, nice, system, , , irq, softirq, steal] = stat
    .split("\n", 1)[0]
    .split(/\s+/)
    .slice(1)
    .map(Number);
  const fields = self.slice(self.lastIndexOf(")") + 2).split(" ");
  const own = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
  return { machine: user + nice + system + irq + softirq + steal, own };
}

const TICKS_A_SECOND = 100;

/** Starts watching; the function it gives says how many processors others used since. Null where not on Linux. */
export function watchOthers(): () => number | null {
  const before = ticks();
  const start = performance.now();
  return () => {
    const after = ticks();
    if (!before || !after) return null;
    const others = after.machine - before.machine - (after.own - before.own);
    return Math.max(0, others / TICKS_A_SECOND / ((performance.now() - start) / 1000));
  };
}

function ticks(): Ticks | null {
  try {
    return parseTicks(readFileSync("/proc/stat", "utf8"), readFileSync("/proc/self/stat", "utf8"));
  } catch {
    return null;
  }
}
