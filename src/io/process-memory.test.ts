import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";

const run = promisify(execFile);
const file = JSON.stringify(new URL("./process-memory.ts", import.meta.url).href);

/** Needs an engine that runs TypeScript files as they are. */
const runsTypeScript = "typescript" in process.features;

async function printed(source: string, flags: readonly string[] = []): Promise<string> {
  const { stdout } = await run(process.execPath, [...flags, "--input-type=module", "-e", source]);
  return stdout.trim();
}

describe.skipIf(!runsTypeScript)("memory of a process", () => {
  it("is measured at its peak, not as it is later", async () => {
    const grown = await printed(`
      const { peakResidentBytes } = await import(${file});
      const before = peakResidentBytes();
      for (let i = 0; i < 2; i++) new Uint8Array(64e6).fill(1);
      console.log(peakResidentBytes() - before);`);
    expect(Number(grown)).toBeGreaterThan(60e6);
  });

  // Elsewhere the system's figure is taken, which may start at the parent's.
  it.skipIf(process.platform !== "linux")("is not that of the process that started it", async () => {
    const child = `import(${file}).then(({ peakResidentBytes }) => console.log(peakResidentBytes()))`;
    const source = `
      const { execFileSync } = await import("node:child_process");
      new Uint8Array(400e6).fill(1);
      console.log(String(execFileSync(process.execPath, ["-e", ${JSON.stringify(child)}])));`;
    expect(Number(await printed(source))).toBeLessThan(250e6);
  });

  it("has a space for young objects that stays small, unless the user has set it", async () => {
    const young = `
      const { keepYoungSpaceSmall } = await import(${file});
      const { getHeapSpaceStatistics } = await import("node:v8");
      keepYoungSpaceSmall();
      const size = () => getHeapSpaceStatistics().find((space) => space.space_name === "new_space").space_size;
      let [kept, largest] = [[], 0];
      for (let i = 0; i < 3e6; i++) {
        kept.push({ i });
        if (kept.length > 2e5) kept = [];
        // The engine takes it back where a slow machine allocates little.
        if (i % 1e5 === 0) largest = Math.max(largest, size());
      }
      console.log(largest);`;
    expect(Number(await printed(young))).toBeLessThan(5e6);
    expect(Number(await printed(young, ["--max-semi-space-size=8"]))).toBeGreaterThan(8e6);
  });
});
