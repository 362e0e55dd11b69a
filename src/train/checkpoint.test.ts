import * as fc from "fast-check";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { encodeSafetensors } from "../io/safetensors.ts";
import { joinBytes } from "../io/sha256.ts";
import {
  type Checkpoint,
  CheckpointError,
  decodeCheckpoint,
  encodeCheckpoint,
  loadCheckpoint,
  saveCheckpoint,
} from "./checkpoint.ts";
import {
  checkpointFile,
  checkpointsOf,
  latestCheckpoint,
  namedCheckpoint,
  prepareCheckpoints,
  pruneCheckpoints,
  supersedeCheckpoints,
} from "./checkpoint-folder.ts";

const checkpoint: Checkpoint = {
  tensors: {
    "h.0.weight": { dtype: "U8", shape: [2, 3], bytes: Uint8Array.of(1, 2, 3, 4, 5, 6) },
    bias: { dtype: "F32", shape: [2], bytes: new Uint8Array(new Float32Array([0.5, -1]).buffer) },
  },
  metadata: { step: 7, seed: 42, note: '"sha256":"' + "0".repeat(64) + '"', schedule: { kind: "cosine" } },
};

async function bytesOf(value: Checkpoint): Promise<Uint8Array> {
  return joinBytes(await encodeCheckpoint(value));
}

async function refusal(bytes: Uint8Array): Promise<CheckpointError> {
  const error = await decodeCheckpoint(bytes, "c.safetensors").catch((e: unknown) => e);
  expect(error).toBeInstanceOf(CheckpointError);
  return error as CheckpointError;
}

describe("a checkpoint in memory", () => {
  it("comes back as it was", async () => {
    expect(await decodeCheckpoint(await bytesOf(checkpoint))).toEqual(checkpoint);
  });

  it("is refused when any one bit is flipped", async () => {
    const whole = await bytesOf(checkpoint);
    await decodeCheckpoint(whole);
    for (let bit = 0; bit < whole.length * 8; bit++) {
      const bytes = whole.slice();
      bytes[bit >> 3] ^= 1 << (bit & 7);
      await refusal(bytes);
    }
  });

  it("is refused when it is cut anywhere", async () => {
    const whole = await bytesOf(checkpoint);
    for (let length = 0; length < whole.length; length++) await refusal(whole.subarray(0, length));
  });

  it("is refused with any run of bytes replaced (property)", async () => {
    const whole = await bytesOf(checkpoint);
    const change = fc.record({
      at: fc.nat(whole.length - 1),
      by: fc.uint8Array({ minLength: 1, maxLength: 32 }),
    });
    await fc.assert(
      fc.asyncProperty(change, async ({ at, by }) => {
        const bytes = whole.slice();
        bytes.set(by.subarray(0, whole.length - at), at);
        if (bytes.every((byte, index) => byte === whole[index])) return;
        await refusal(bytes);
      }),
      { numRuns: 200 },
    );
  });

  it("says why it was refused", async () => {
    const whole = await bytesOf(checkpoint);
    const changed = whole.slice();
    changed[changed.length - 1] ^= 1;
    expect((await refusal(changed)).message).toMatch(
      /"c\.safetensors" is damaged: its content has the sha-256/,
    );
    expect((await refusal(whole.subarray(0, 30))).message).toMatch(
      /is damaged: byte 30: the file ends inside/,
    );
    const foreign = joinBytes(encodeSafetensors(checkpoint.tensors, { format: "pt" }));
    expect(await refusal(foreign)).toMatchObject({
      fault: "foreign",
      message: expect.stringContaining('without the mark "format": "logrung-checkpoint"'),
    });
    const unsigned = joinBytes(encodeSafetensors({}, { format: "logrung-checkpoint", version: "1" }));
    expect((await refusal(unsigned)).message).toMatch(/its checksum is missing/);
  });

  it("does not take NaN into the metadata", async () => {
    const metadata = { loss: { last: Number.NaN } };
    await expect(encodeCheckpoint({ tensors: {}, metadata })).rejects.toThrow(/metadata "last" is NaN/);
  });
});

describe("checkpoints of a run", () => {
  let run = "";
  beforeEach(async () => {
    run = await mkdtemp(join(tmpdir(), "logrung-run-"));
    await prepareCheckpoints(run);
  });
  afterEach(() => rm(run, { recursive: true, force: true }));

  const save = (step: number) =>
    saveCheckpoint(checkpointFile(run, step).path, { ...checkpoint, metadata: { step } });
  const damage = async (step: number) => {
    const { path } = checkpointFile(run, step);
    const bytes = await readFile(path);
    bytes[bytes.length - 1] ^= 4;
    await writeFile(path, bytes);
  };
  const steps = async () => (await checkpointsOf(run)).map((file) => file.step);

  it("are ordered by step, not by name, and other files are ignored", async () => {
    for (const step of [100, 9, 20]) await save(step);
    await writeFile(join(run, "checkpoints", "step-x.safetensors"), "");
    expect(await steps()).toEqual([9, 20, 100]);
    const { step, checkpoint: found } = await latestCheckpoint(run);
    expect(step).toBe(100);
    expect(found.metadata).toEqual({ step: 100 });
  });

  it("are none in a folder without any, and the newest is then an error", async () => {
    expect(await checkpointsOf(join(run, "no"))).toEqual([]);
    await expect(latestCheckpoint(run)).rejects.toThrow(/is missing: the run has saved none yet/);
  });

  it("offers the newest good one when later ones are damaged", async () => {
    for (const step of [10, 20, 30, 40]) await save(step);
    await damage(40);
    await damage(30);
    const error = await latestCheckpoint(run).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(CheckpointError);
    expect((error as Error).message).toContain("step-40.safetensors");
    expect((error as Error).message).toContain(
      "; the newest good one before it is taken with --checkpoint step-20",
    );
    expect((await namedCheckpoint(run, "step-20")).step).toBe(20);
    expect((await namedCheckpoint(run, "10")).step).toBe(10);
    await expect(namedCheckpoint(run, "step-30")).rejects.toThrow(/is damaged/);
    await expect(namedCheckpoint(run, "step-3")).rejects.toThrow(
      /the run has step-10, step-20, step-30, step-40/,
    );
  });

  it("says so when no older one is whole", async () => {
    await save(1);
    await damage(1);
    await expect(latestCheckpoint(run)).rejects.toThrow(/no older checkpoint of this run is whole/);
  });

  it("keeps the newest when old ones are removed", async () => {
    for (const step of [1, 2, 3, 4]) await save(step);
    expect((await pruneCheckpoints(run, 2)).map((file) => file.step)).toEqual([1, 2]);
    expect(await steps()).toEqual([3, 4]);
    await expect(pruneCheckpoints(run, 0)).rejects.toThrow(RangeError);
  });

  it("never removes the only good one", async () => {
    for (const step of [1, 2, 3, 4]) await save(step);
    for (const step of [1, 3, 4]) await damage(step);
    await pruneCheckpoints(run, 2);
    expect(await steps()).toEqual([2, 3, 4]);
    await pruneCheckpoints(run, 1);
    expect(await steps()).toEqual([2, 4]);
  });

  it("are put aside when the run goes on from an older one", async () => {
    for (const step of [1, 2, 3]) await save(step);
    await supersedeCheckpoints(run, 1);
    expect(await steps()).toEqual([1]);
    expect(await readdir(join(run, "checkpoints"))).toContain("step-3.safetensors.superseded");
  });

  it("loses what a killed process left half written", async () => {
    await save(1);
    await writeFile(join(run, "checkpoints", ".step-2.safetensors.tmp-77-ab"), "half");
    await prepareCheckpoints(run);
    expect(await readdir(join(run, "checkpoints"))).toEqual(["step-1.safetensors"]);
  });

  it("are read from a file of any size of header", async () => {
    await save(5);
    expect((await loadCheckpoint(checkpointFile(run, 5).path)).tensors).toEqual(checkpoint.tensors);
  });
});
