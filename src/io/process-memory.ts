/** Memory of the whole process. Leans on Node alone: programs call it before they load anything else. */
import { readFileSync } from "node:fs";
import { setFlagsFromString } from "node:v8";

const GROWTH = "--semi-space-growth-factor";

/**
 * Keeps the engine's space for young objects at the megabyte it starts with. Left alone it doubles, up to 32 MB, each time
 * that as much has survived collections as it holds: loading and compiling take it to 16 MB, a long run on.
 *
 * For programs that train, not for libraries: what a step leaves behind dies within it, so it is collected more often for
 * 0.2 ms each, while a program with much that lives for a while would copy it into the old space too early. Flags of this kind
 * that the user gave stay as they are.
 */
export function keepYoungSpaceSmall(): void {
  const given = [...process.execArgv, process.env.NODE_OPTIONS ?? ""];
  if (!given.some((flag) => /semi[-_]space/.test(flag))) setFlagsFromString(`${GROWTH}=1`);
}

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
