import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { format } from "../../src/formats/format.ts";
import { encodeSafetensors, type SafetensorsTensor } from "../../src/io/safetensors.ts";
import { joinBytes } from "../../src/io/sha256.ts";
import { saveCheckpoint } from "../../src/train/checkpoint.ts";
import { packCodes } from "../../src/tensor/packing.ts";
import { checkpointFile } from "../../src/train/checkpoint-folder.ts";
import { readEnvironment } from "../../src/train/environment.ts";
import { createRunFolder } from "../../src/train/run-folder.ts";
import type { Command } from "../command.ts";
import { inspectTensors, type TensorReport } from "../inspect.ts";
import { runProgram } from "../run.ts";
import { command as inspect } from "./inspect.ts";
import { command as report } from "./report.ts";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "logrung-inspect-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function run(command: Command, ...args: string[]) {
  let out = "";
  let err = "";
  const code = await runProgram([command.name, ...args], [command], {
    stdout: { write: (text) => (out += text) },
    stderr: { write: (text) => (err += text) },
    env: {},
    cwd: folder,
    signal: new AbortController().signal,
    version: "0.0.0",
  });
  return { code, out, err };
}

const lns8 = format("lns8-g16");
const code = (value: number) => lns8.encode(value, "nearest-even", 0);
const floats = (...values: number[]): SafetensorsTensor => ({
  dtype: "F32",
  shape: [values.length],
  bytes: new Uint8Array(Float32Array.from(values).buffer),
});
const tensors: Record<string, SafetensorsTensor> = {
  w: { dtype: "U8", shape: [2, 2], bytes: Uint8Array.of(code(1), code(-0.5), code(0), code(1)) },
  "w.scale": floats(3),
  bias: floats(-1, 2, Number.NaN, 0.5),
  half: { dtype: "F16", shape: [2], bytes: new Uint8Array(Uint16Array.of(0x3c00, 0xc100).buffer) },
  brain: { dtype: "BF16", shape: [1], bytes: new Uint8Array(Uint16Array.of(0xbf80).buffer) },
};
const metadata = { step: 4, formats: { w: "lns8-g16" } };

async function makeRun(): Promise<string> {
  const environment = await readEnvironment({ logrung: "0.0.0", threads: 1, seed: 1 });
  const path = join(folder, "run");
  const made = await createRunFolder({ recipe: "text", config: { recipe: "text" }, environment, path });
  made.appendMetrics({ step: 1, loss: 2, seconds: 1 });
  made.appendMetrics({ step: 2, loss: 1.5, seconds: 2, validationLoss: 1.75 });
  await made.saveCheckpoint(4, { tensors, metadata }, 2);
  await made.close();
  return path;
}

describe("inspect", () => {
  it("tells formats, ranges in real values and the use of the ladder", async () => {
    const path = await makeRun();
    const { code: exit, out, err } = await run(inspect, path, "--json");
    expect([exit, err]).toEqual([0, ""]);
    const found = JSON.parse(out) as { metadata: unknown; tensors: TensorReport[] };
    expect(found.metadata).toEqual(metadata);
    const byName = Object.fromEntries(found.tensors.map((entry) => [entry.name, entry]));
    expect(byName.w).toMatchObject({ format: "lns8-g16", dtype: "U8", bytes: 4, min: -1.5, max: 3 });
    expect(byName.w.ladder).toMatchObject({ zeros: 1, top: 2 });
    expect(byName.bias).toMatchObject({ format: null, min: -1, max: 2, nonFinite: 1 });
    expect(byName.half).toMatchObject({ min: -2.5, max: 1 });
    expect(byName.brain).toMatchObject({ min: -1, max: -1 });
  });

  it("shows a table, of a named checkpoint too", async () => {
    const path = await makeRun();
    const { out } = await run(inspect, path, "--checkpoint", "step-4");
    expect(out).toContain("  step: 4\n");
    expect(out).toMatch(/^w +\[2, 2\] +lns8-g16 +4 +-1\.5 +3 +25\.0 % +50\.0 % +\S/m);
    expect(out).toContain("(1 not finite)");
    const missing = await run(inspect, path, "--checkpoint=step-9");
    expect(missing).toMatchObject({ code: 2, out: "", err: expect.stringContaining("the run has step-4") });
  });

  it("reads any safetensors file", async () => {
    await writeFile(
      join(folder, "x.safetensors"),
      joinBytes(encodeSafetensors(tensors, { made: "elsewhere" })),
    );
    const { code: exit, out } = await run(inspect, "x.safetensors");
    expect(exit).toBe(0);
    expect(out).toContain('made: "elsewhere"');
  });

  it("refuses a damaged checkpoint, a missing file and wrong use, with code 2", async () => {
    const path = await makeRun();
    const { path: file } = checkpointFile(path, 4);
    const bytes = await readFile(file);
    bytes[bytes.length - 1] ^= 1;
    await writeFile(file, bytes);
    await saveCheckpoint(checkpointFile(path, 3).path, { tensors: {}, metadata: {} });
    for (const target of [path, file]) {
      const { code: exit, err, out } = await run(inspect, target);
      expect([exit, out]).toEqual([2, ""]);
      expect(err).toContain("is damaged: its content has the sha-256");
    }
    expect((await run(inspect, path)).err).toContain("--checkpoint step-3");
    expect(await run(inspect, "no.safetensors")).toMatchObject({ code: 2, out: "" });
    expect((await run(inspect)).err).toContain("inspect is told too little; usage: logrung inspect <run");
    expect((await run(inspect, "a", "b")).err).toContain('does not know what to do with "b"');
  });
});

describe("report", () => {
  it("prints the figures and writes the page", async () => {
    const path = await makeRun();
    const { code: exit, out, err } = await run(report, path);
    expect(exit).toBe(0);
    expect(out).toMatch(/validation loss +1\.7500/);
    expect(err).toBe(`report: ${join(path, "report.html")}\n`);
    expect(await readFile(join(path, "report.html"), "utf8")).toContain("Loss by step");
  });

  it("compares runs, for machines too", async () => {
    const path = await makeRun();
    const { out } = await run(report, path, path, "--json", "--output", "both.html");
    const found = JSON.parse(out) as { page: string; runs: { name: string; config: unknown }[] };
    expect(found.page).toBe(join(folder, "both.html"));
    expect(found.runs).toMatchObject([{ name: "run", config: { recipe: "text" } }, { name: "run" }]);
    expect(await readFile(found.page, "utf8")).toContain("2 runs compared");
  });

  it("refuses a folder that is no run", async () => {
    expect(await run(report, ".")).toMatchObject({ code: 2, err: expect.stringContaining("is not a run") });
  });
});

it("unpacks codes of few bits", () => {
  const lns6 = format("lns6-g4");
  const codes = [1, 0.5, 0, -1, -0.5].map((x) => lns6.encode(x, "nearest-even", 0));
  const w: SafetensorsTensor = { dtype: "U8", shape: [6], bytes: packCodes(codes, 6) };
  const [packed] = inspectTensors({ w, "w.scale": floats(3) }, { w: { format: "lns6-g4", shape: [5, 1] } });
  expect(packed).toMatchObject({ format: "lns6-g4", shape: [5, 1], bytes: 6, min: -3, max: 3, nonFinite: 0 });
  expect(packed.ladder).toMatchObject({ zeros: 1, top: 2 });
});
