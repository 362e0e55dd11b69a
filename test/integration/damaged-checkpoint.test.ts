/** A checkpoint that is not what was written is refused, with the reason and the one to take instead. */
import { cpSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { encodeSafetensors } from "../../src/io/safetensors.ts";
import { inPlace, logrung, stateOf, training, workspace } from "./program.ts";

const folder = workspace();
const whole = join(folder, "whole");
const options = ["--checkpoint.every=10", "--checkpoint.keep=4"];
const newest = (run: string): string => join(run, "checkpoints", "step-30.safetensors");
let copies = 0;

/** A copy of the run of 30 steps, its newest checkpoint changed. */
function damaged(damage: (file: string) => void): string {
  const run = join(folder, `copy-${copies++}`);
  cpSync(whole, run, { recursive: true });
  damage(newest(run));
  return run;
}

function flipBit(file: string, bit: number): void {
  const bytes = readFileSync(file);
  bytes[bit >> 3] ^= 1 << (bit & 7);
  writeFileSync(file, bytes);
}

const foreign = (): Buffer =>
  Buffer.concat(
    encodeSafetensors({ "lm_head.weight": { dtype: "F32", shape: [1], bytes: new Uint8Array(4) } }),
  );

beforeAll(async () => {
  const others = {
    whole: [],
    wider: ["--model.width=32"],
    "of-another-seed": ["--seed=2"],
    "of-another-format": ["--precision=state16"],
  };
  for (const [name, change] of Object.entries(others)) {
    const { code, stderr } = await inPlace(training(join(folder, name), 30, ...options, ...change));
    expect(code, stderr).toBe(0);
  }
});

const copyOf = (other: string) => (file: string) => cpSync(newest(join(folder, other)), file);

const damages: Record<string, readonly [(file: string) => void, RegExp]> = {
  empty: [(file) => truncateSync(file, 0), /is damaged: byte 0: the file ends inside the 8 bytes/],
  "cut in its header": [
    (file) => truncateSync(file, 500),
    /is damaged: byte 500: the file ends inside the header/,
  ],
  "cut in its tensors": [
    (file) => truncateSync(file, 20_000),
    /is damaged: byte 8: tensor .* lie outside the data/,
  ],
  "longer than it was": [(file) => writeFileSync(file, "x", { flag: "a" }), /1 bytes belong to no tensor/],
  "someone else's": [
    (file) => writeFileSync(file, foreign()),
    /is not a logrung checkpoint: .*without the mark/,
  ],
  "not safetensors": [
    (file) => writeFileSync(file, "PK\u0003\u0004 a zip file"),
    /is damaged: byte 0: the header claims/,
  ],
  "of another shape": [
    copyOf("wider"),
    /does not fit the run: tensor ".*" is U8 \[.*32.*\], wants U8 \[.*16.*\]/,
  ],
  "of another format": [copyOf("of-another-format"), /does not fit the run: tensor ".*" is U16 .*, wants U8/],
  "of another run": [copyOf("of-another-seed"), /does not fit the run: it is of a run with another seed/],
};

describe.each(Object.entries(damages))("a checkpoint that is %s", (_, [damage, reason]) => {
  it("is refused, and the one before it taken with the flag that is named", async () => {
    const run = damaged(damage);
    const resume = ["train", `--resume=${run}`, "--steps=34"];
    const refused = await inPlace(resume);
    expect(refused.code).toBe(2);
    expect(refused.stdout).toBe("");
    expect(refused.stderr).toMatch(reason);
    expect(refused.stderr).toContain(newest(run));
    const [, flag, name] = /taken with (--checkpoint) (step-\d+)\n$/.exec(refused.stderr) ?? [];
    expect(name).toBe("step-20");
    const taken = await inPlace([...resume, flag, name]);
    expect(taken.code, taken.stderr).toBe(0);
    expect(taken.stderr).toContain("going on after step 20");
    expect((await stateOf(run)).step).toBe(34);
  });
});

describe("any flipped bit", () => {
  it("is noticed, wherever it is", async () => {
    const bits = readFileSync(newest(whole)).length * 8;
    for (let trial = 0; trial < 24; trial++) {
      const bit = Math.floor((bits * (trial + Math.random())) / 24);
      const run = damaged((file) => flipBit(file, bit));
      const { code, stderr } = await inPlace(["inspect", run]);
      expect(code, `bit ${bit}`).toBe(2);
      expect(stderr, `bit ${bit}`).toMatch(
        /is (damaged|not a logrung checkpoint): .*; .* --checkpoint step-20\n$/,
      );
    }
  });
});

describe("going on from the older checkpoint", () => {
  it("gives the state of the run that was never damaged", async () => {
    const run = damaged((file) => truncateSync(file, 0));
    const { code, stderr } = await logrung(["train", `--resume=${run}`, "--checkpoint=step-20"]);
    expect(code, stderr).toBe(0);
    expect(await stateOf(run)).toEqual(await stateOf(whole));
  });

  it.each(["eval", "generate", "inspect"])("is offered by %s too", async (verb) => {
    const run = damaged((file) => truncateSync(file, 100));
    const refused = await inPlace([verb, run]);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain("is taken with --checkpoint step-20");
    expect((await inPlace([verb, run, "--checkpoint", "step-20"])).code).toBe(0);
  });

  it("says when none is left", async () => {
    const run = damaged((file) => truncateSync(file, 0));
    for (const step of [0, 10, 20]) truncateSync(join(run, "checkpoints", `step-${step}.safetensors`), 0);
    const { code, stderr } = await inPlace(["train", `--resume=${run}`]);
    expect(code).toBe(2);
    expect(stderr).toContain("no older checkpoint of this run is whole: start the run again");
  });
});
