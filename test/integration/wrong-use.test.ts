/** What is asked for wrongly is refused at once: the key, what is allowed, the nearest match, and nothing on disk. */
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { inPlace, logrung, textFile, tiny, workspace } from "./program.ts";

const folder = workspace();
const train = (...more: string[]): string[] => [
  "train",
  "text",
  `--data=${textFile()}`,
  ...tiny,
  "--steps=2",
  ...more,
];

function config(name: string, content: string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

/** Words, and what the message must hold. */
const wrong: Record<string, readonly [words: readonly string[], ...parts: string[]]> = {
  "no verb": [[], "which verb?", "usage: logrung <verb>"],
  "an unknown verb": [["trian"], 'unknown verb "trian"', 'did you mean "train"?'],
  "an unknown option": [train("--stepz=3"), '"--stepz"', 'did you mean "--steps"?'],
  "an option without a value": [train("--seed"), '"--seed" needs a value'],
  "a switch with a word": [
    train("--model.recompute", "true"),
    'got "text true"; a switch is written --key=true or --key=false',
  ],
  "an unknown recipe": [
    ["train", "own-sauce"],
    'unknown recipe "own-sauce"',
    'did you mean "own-source"?',
    "text",
  ],
  "an unknown optimiser": [
    train("--optimizer=adamww"),
    '"adamww"',
    'did you mean "adamw"?',
    "lns-madam",
    "madam",
  ],
  "an unknown option of an optimiser": [
    train("--optimizer=adamw", "--optimizer.beta3=0.9"),
    '"optimizer.beta3" of adamw',
    'did you mean "beta',
  ],
  "a wrong value of an optimiser": [train("--optimizer=adamw", "--lr=-1"), "lr", "-1"],
  "an unknown preset": [train("--precision=state9"), '"state9"', 'did you mean "state8"?', "lns-madam-8"],
  "an unknown format": [
    train("--precision.update.format=lns8-q16"),
    '"lns8-q16"',
    'did you mean "lns8-g16"?',
  ],
  "a group that fits no parameter": [
    train('--groups=[{"pattern":"haed*"}]'),
    'the group "haed*" fits no parameter',
    "left: wte.weight, ",
  ],
  "a pattern of layers that fits none": [
    train('--precision={"layers":{"haed":null}}'),
    'pattern "haed"',
    "fits no layer",
    "h.0.attn.c_attn",
  ],
  "a format of too many bits": [train("--precision.update.format=lns17-g16"), "lns17-g16", "16"],
  "an unknown schedule": [train("--schedule=cosin"), '"schedule.name" is "cosin"', 'did you mean "cosine"?'],
  "a word for a number": [train("--batch=many"), '"batch" is "many", wants a number'],
  "a broken number": [train("--batch=1.5"), '"batch" is 1.5, wants a whole number'],
  "too few steps": [train("--steps=0"), '"steps" is 0, wants >= 1'],
  "a width that heads do not divide": [train("--model.heads=3"), '"model.width" is 16, wants a multiple'],
  "no text": [["train", "text"], '"data.path" is missing', "--data path/to/any.txt"],
  "nothing to train": [["train"], "train what?", "own-source"],
  "two recipes": [["train", "text", "own-source"], "train takes one recipe or config file"],
  "a run that is none": [["train", "--resume", "nowhere"], "is not a run: it holds no config.json"],
  "a checkpoint of nothing": [train("--checkpoint", "step-1"), "--checkpoint needs --resume <run>"],
  "another folder on resuming": [
    ["train", "--resume", "x", "--output", "y"],
    "a resumed run stays in its folder; leave out --output",
  ],
  "an unknown key in a config file": [
    ["train", config("key.json", '{"data":{"path":"x"},"model":{"widht":8}}')],
    'unknown key "model.widht"',
    'did you mean "model.width"?',
  ],
  "a config file that is no JSON": [["train", config("broken.json", '{"steps": 3,}')], "is not JSON"],
  "a config file that is missing": [["train", "none.json"], "cannot read", "no such file or folder"],
  "a wrong backend": [train("--backend=cuda"), '"backend" is "cuda"', "wasm", "reference"],
};

describe("train and its kin refuse", () => {
  const before = readdirSync(folder);

  it.each(Object.entries(wrong))("%s", async (_, [words, ...parts]) => {
    const { code, stdout, stderr } = await inPlace(words, { cwd: folder });
    for (const part of parts) expect(stderr).toContain(part);
    expect(stderr).toMatch(/^logrung: /);
    expect(stderr).not.toMatch(/unexpected|\n\s+at /);
    expect([code, stdout]).toEqual([2, ""]);
    expect(readdirSync(folder)).toEqual(before);
  });

  it("in the real program with the same code", async () => {
    const { code, stdout, stderr } = await logrung(train("--optimizer=adamww"), { cwd: folder });
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(/^logrung: .*"adamww" \(did you mean "adamw"\?/);
    expect(readdirSync(folder)).toEqual(before);
  });

  it("nothing with --dry-run, which shows the whole configuration and makes nothing", async () => {
    const { code, stdout, stderr } = await logrung(train("--lr=0.1", "--dry-run"), { cwd: folder });
    expect([code, stderr]).toEqual([0, ""]);
    expect(JSON.parse(stdout)).toMatchObject({
      recipe: "text",
      steps: 2,
      data: { path: [textFile()] },
      optimizer: { name: "rung", lr: 0.1 },
      precision: "rung8",
    });
    expect(readdirSync(folder)).toEqual(before);
  });
});
