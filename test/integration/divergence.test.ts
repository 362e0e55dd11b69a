/** A run that goes to NaN stops, names the step and the tensor, and leaves its good checkpoints alone. */
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { checkpointsOf } from "../../src/train/checkpoint-folder.ts";
import { inPlace, logrung, newestCheckpoint, training, workspace } from "./program.ts";

const folder = workspace();

/** No checkpoint of the run holds a number that is none. */
async function expectFiniteState(run: string): Promise<void> {
  for (const { tensors } of [await newestCheckpoint(run)]) {
    for (const [name, { dtype, bytes }] of Object.entries(tensors)) {
      if (dtype !== "F32") continue;
      const values = new Float32Array(bytes.slice().buffer);
      expect(values.every(Number.isFinite), name).toBe(true);
    }
  }
}

describe("a learning rate that is far too large", () => {
  it("stops with 1, names the step and the first tensor, and keeps the checkpoint before", async () => {
    const run = join(folder, "adamw");
    const { code, stdout, stderr } = await logrung(
      training(run, 30, "--optimizer=adamw", "--lr=1e30", "--checkpoint.every=1", "--schedule=constant"),
    );
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(/logrung: .* at step \d+: .*"[\w.]+".* The checkpoints before it are untouched/);
    const [newest] = (await checkpointsOf(run)).slice(-1);
    expect(Number(/ at step (\d+):/.exec(stderr)?.[1])).toBeGreaterThanOrEqual(newest.step);
    await expectFiniteState(run);
    expect((await inPlace(["inspect", run])).code).toBe(0);
    const again = await inPlace(["train", `--resume=${run}`]);
    expect(again.code).toBe(1);
    expect(again.stderr).toMatch(/at step \d+: /);
  });

  it.each(["0", "1"])("never leaves a NaN in a checkpoint with --gradient-clip=%s", async (clip) => {
    const run = join(folder, `clip-${clip}`);
    const words = training(
      run,
      4,
      "--optimizer=adamw",
      "--precision=fp32",
      "--lr=1e38",
      "--schedule=constant",
    );
    const { code, stderr } = await inPlace([...words, `--gradient-clip=${clip}`, "--checkpoint.every=1"]);
    expect(stderr).toMatch(/at step \d+: /);
    expect(code).toBe(1);
    await expectFiniteState(run);
  });
});
