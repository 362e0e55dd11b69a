/** The most memory a process has held. Imported by the peers' side too: leans on Node alone. */
import { readFileSync } from "node:fs";

/**
 * Peak resident bytes of this process.
 *
 * On Linux from `VmHWM`: `process.resourceUsage().maxRSS` starts a child at its parent's peak, which exec carries over.
 */
export function peakResidentBytes(): number {
  const line = /^VmHWM:\s+(\d+) kB$/m.exec(processStatus());
  return (line ? Number(line[1]) : process.resourceUsage().maxRSS) * 1024;
}

/** Empty where the system has no such file. */
function processStatus(): string {
  try {
    return readFileSync("/proc/self/status", "utf8");
  } catch {
    return "";
  }
}
