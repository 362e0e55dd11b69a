import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { learningRateFactor } from "../../src/optim/schedules.ts";
import type { JsonObject } from "../../src/train/json.ts";
import { recipes } from "../recipes/recipes.generated.ts";
import { ConfigError } from "./config-error.ts";
import { configKeys, configNames, keysHelp } from "./keys.ts";
import { mergeLayers } from "./merge.ts";
import { type ConfigRequest, resolveConfig, type TrainConfig } from "./resolve.ts";
import { resumeConflicts } from "./resume.ts";
import { configSchemaJson, configSchemas, taskSchemaJson } from "./schema.ts";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "logrung-config-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Resolves as `train <source> <flags>` would, run in `folder`. */
function train(source: string | undefined, ...flags: string[]): Promise<TrainConfig> {
  const names = configNames();
  const assignments = flags.map((flag) => {
    const [written, ...value] = flag.slice(2).split("=");
    return { key: names.resolve(written)?.key ?? written, value: value.join("=") };
  });
  const request: ConfigRequest = { source, assignments, cwd: folder };
  return resolveConfig(request);
}

async function faults(source: string | undefined, ...flags: string[]): Promise<string> {
  const error = await train(source, ...flags).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(ConfigError);
  return (error as ConfigError).message;
}

describe("layers", () => {
  it("defaults, recipe, file and flags, the later over the earlier", async () => {
    const file = {
      recipe: "own-source",
      steps: 20,
      batch: 4,
      model: { layers: 2 },
      optimizer: { beta2: 0.9 },
    };
    await writeFile(join(folder, "c.json"), JSON.stringify({ $schema: "./s.json", ...file }));
    const config = await train("c.json", "--batch=16", "--model.width=64", "--lr=0.1");
    expect(config).toMatchObject({
      recipe: "own-source",
      steps: 20,
      batch: 16,
      model: { layers: 2, width: 64, heads: 4 },
      optimizer: { name: "rung", lr: 0.1, beta1: 0.9, beta2: 0.9, scale: 6 },
      precision: "rung8",
      seed: 1,
    });
  });

  it("another optimiser drops the options and the precision chosen for the one below", async () => {
    const config = await train("own-source", "--optimizer=adamw", "--lr=0.003");
    expect(config.precision).toBe("fp32");
    expect(config.optimizer).toEqual({
      name: "adamw",
      lr: 0.003,
      beta1: 0.9,
      beta2: 0.999,
      epsilon: 1e-8,
      weightDecay: 0.01,
    });
    expect((await train("own-source", "--optimizer=rung")).optimizer.lr).toBe(0.003);
    expect((await train("own-source", "--optimizer=adamw", "--precision=state16")).precision).toBe("state16");
    const unnamed = await resolveConfig({
      assignments: [
        { key: "optimizer.lr", value: "0.5" },
        { key: "data.path", value: "x" },
      ],
      cwd: folder,
    });
    expect(unnamed.optimizer, "options of the default rule").toMatchObject({ name: "adamw", lr: 0.5 });
    const early = await train("own-source", "--lr=0.5", "--optimizer=adamw");
    expect(early.optimizer, "flags in another order").toMatchObject({ name: "adamw", lr: 0.5 });
    const under = { exempt: { optimizer: { name: "adamw", lr: 1 }, embeddings: true }, precision: "p" };
    expect(mergeLayers(under, { exempt: { optimizer: { name: "madam" } } })).toEqual({
      exempt: { optimizer: { name: "madam" }, embeddings: true },
      precision: "p",
    });
  });

  it("a role's format is laid over the preset below it", async () => {
    const both = { preset: "rung8", update: "lns8-g32" };
    expect((await train("own-source", "--precision.update=lns8-g32")).precision).toEqual(both);
    const flags = ["--precision=state16", "--precision.update=lns8-g32"];
    expect((await train("own-source", ...flags)).precision).toEqual({ ...both, preset: "state16" });
    const plain = await train("own-source", "--optimizer=adamw", "--precision.activation=bf16");
    expect(plain.precision).toEqual({ preset: "fp32", activation: "bf16" });
  });

  it("a resolved configuration resolves to itself", async () => {
    const once = await train("own-source", "--data=a.txt", "--data=b.txt", "--precision.update=lns8-g16");
    expect(once.data).toHaveProperty("path", [join(folder, "a.txt"), join(folder, "b.txt")]);
    const base = JSON.parse(JSON.stringify(once)) as JsonObject;
    expect(await resolveConfig({ base, cwd: "/" })).toEqual(once);
    await writeFile(join(folder, "config.json"), JSON.stringify(once));
    expect(await train("config.json")).toEqual(once);
  });

  it("a file without a recipe needs its own text", async () => {
    await writeFile(join(folder, "c.json"), '{"steps": 3}');
    expect(await faults("c.json")).toMatch(/"data\.path" is missing.*--data path/);
    expect((await train("c.json", "--data=x.txt")).recipe).toBe("custom");
    expect(await faults("text")).toMatch(/"data\.path" is missing/);
    expect(await faults(undefined)).toMatch(/"data\.path" is missing/);
  });
});

describe("complaints", () => {
  it.each([
    [["--steps=abc"], '"steps" is "abc", wants a number'],
    [["--steps=0"], '"steps" is 0, wants >= 1'],
    [["--steps=1.5"], '"steps" is 1.5, wants a whole number'],
    [["--steps="], '"steps" is "", wants a number'],
    [["--backend=wasn"], '"backend" is "wasn" (did you mean "wasm"? known: wasm, reference)'],
    [["--optimizer=adammw"], '"optimizer.name" is "adammw" (did you mean "adamw"? known: '],
    [["--optimizer.betta=1"], 'unknown key "optimizer.betta" of rung (did you mean "beta1"? known: lr, '],
    [["--exempt.optimizer.bound=1"], 'unknown key "exempt.optimizer.bound" of adamw'],
    [["--exempt.embeddings=yes"], '"exempt.embeddings" is "yes", wants true or false'],
    [["--data.validationFraction=1"], '"data.validationFraction" is 1, wants < 1'],
    [["--model.heads=5"], '"model.width" is 128, wants a multiple of "model.heads", 5'],
  ])("%j: %s", async (flags, message) => expect(await faults("own-source", ...flags)).toContain(message));

  it("come from the schemas of optimisers and precision too", async () => {
    await expect(train("own-source", "--lr=-1")).rejects.toThrow(
      /rung's lr is -1, wants a finite number > 0/,
    );
    await expect(train("own-source", "--precision=state9")).rejects.toThrow(
      /"state9" \(did you mean "state8"\?/,
    );
    await expect(train("own-source", "--precision.update=lns9")).rejects.toThrow(/unknown format "lns9"/);
  });

  it("name every wrong key of a file at once, with its full path", async () => {
    const file = { recipe: "own-source", stepss: 1, model: { layer: 2 }, batch: "8", backend: "gpu" };
    await writeFile(join(folder, "c.json"), JSON.stringify(file));
    const message = await faults("c.json");
    expect(message).toContain(
      'unknown key "stepss" (did you mean "steps"? known: task, recipe, seed, steps, data, ',
    );
    expect(message).toContain('unknown key "model.layer" (did you mean "model.layers"? known: model.name, ');
    expect(message).toContain('"batch" is "8", wants a number');
    expect(message).toContain('"backend" is "gpu" (');
  });

  it("tell an unknown recipe from a missing, broken or strange file", async () => {
    expect(await faults("own-sorce")).toMatch(/unknown recipe "own-sorce" \(did you mean "own-source"\?/);
    await expect(train("no.json")).rejects.toThrow(/cannot read ".*no\.json": no such file/);
    await writeFile(join(folder, "bad.json"), "{,");
    expect(await faults("bad.json")).toMatch(/bad\.json" is not JSON/);
    await writeFile(join(folder, "list.json"), "[]");
    expect(await faults("list.json")).toMatch(/is not a JSON object/);
  });
});

describe("keys", () => {
  it("are found by alias, by dots and with hyphens", () => {
    const { resolve } = configNames();
    expect(resolve("lr")).toEqual({ key: "optimizer.lr", boolean: false });
    expect(resolve("gradient-clip")).toEqual({ key: "gradientClip", boolean: false });
    expect(resolve("exempt.embeddings")).toEqual({ key: "exempt.embeddings", boolean: true });
    expect(resolve("optimizer.weight-decay")?.key).toBe("optimizer.weightDecay");
    expect(resolve("model.layer")).toBeUndefined();
    expect(resolve("optimizer.")).toBeUndefined();
  });

  it("all have a line of help and a default that the help shows", () => {
    for (const { key, doc } of configKeys()) expect(doc, key).not.toBe("");
    const rows = new Map(keysHelp().map((row) => [row.key, row]));
    expect(rows.get("data.path")).toMatchObject({ aliases: ["data"], values: "list" });
    expect(rows.get("schedule.name")?.default).toBe('"cosine"');
    expect(rows.get("exempt.optimizer.name")?.default).toBe('"adamw"');
    expect(rows.get("model.name")?.doc, "each once, of several tasks").toBe(
      "architecture; or architecture; vit is one of given sizes",
    );
  });

  it("are in the JSON schema, closed", () => {
    const schema = {
      additionalProperties: false,
      properties: { steps: { type: "integer", default: 1500 }, model: { additionalProperties: false } },
    };
    expect(taskSchemaJson("language")).toMatchObject(schema);
    expect(configSchemaJson()).toMatchObject({ anyOf: Object.keys(configSchemas).map(() => schema) });
  });
});

describe("groups", () => {
  const withGroups = async (groups: unknown, ...flags: string[]): Promise<TrainConfig> => {
    await writeFile(join(folder, "groups.json"), JSON.stringify({ recipe: "own-source", groups }));
    return train("groups.json", ...flags);
  };

  it("have the run's rule with other options, or one of their own", async () => {
    const [near, far] = (
      await withGroups([
        { pattern: "block.0.*", optimizer: { lr: 0.5 } },
        { pattern: "head", optimizer: { name: "sgd" }, precision: "state16" },
      ])
    ).groups;
    expect(near.optimizer).toMatchObject({ name: "rung", lr: 0.5, beta2: 0.99 });
    expect(near.precision).toBeUndefined();
    expect(far.optimizer).toEqual({
      name: "sgd",
      lr: 0.1,
      momentum: 0.9,
      dampening: 0,
      nesterov: "off",
      weightDecay: 0,
    });
    expect(far.precision).toBe("state16");
  });

  it("resolve to themselves, and name what is wrong with them", async () => {
    const config = await withGroups([{ pattern: "*.bias", optimizer: { lr: 0.5 } }]);
    const base = JSON.parse(JSON.stringify(config)) as JsonObject;
    expect(await resolveConfig({ base })).toEqual(config);
    await expect(withGroups([{ pattern: "a", optimizer: { name: "sdg" } }])).rejects.toThrow(
      /"groups\.0\.optimizer\.name" is "sdg" \(did you mean "sgd"/,
    );
    await expect(withGroups([{ optimizer: {} }])).rejects.toThrow(/groups\.0\.pattern/);
    await expect(withGroups([], "--accumulate=3")).rejects.toThrow(
      /"accumulate" is 3, wants a divisor of "batch", 8/,
    );
    await expect(withGroups([], "--ema=0.9", "--average.format=lns9")).rejects.toThrow(
      /unknown format "lns9"/,
    );
  });
});

it("integer-madam's weights lie on its ladder unless they are said to lie elsewhere", async () => {
  const precision = async (...flags: string[]) =>
    (await train("own-source", "--optimizer=integer-madam", ...flags)).precision;
  const own = { preset: "fp32", update: { format: "lns12-eta0.001" } };
  expect(await precision()).toMatchObject(own);
  expect(await precision("--precision.activation=bf16")).toMatchObject({ ...own, activation: "bf16" });
  expect(await precision("--precision=state8")).toBe("state8");
});

it("integer-madam's ladder is the one of its options, and they are the ladder's", async () => {
  const resolved = (...flags: string[]) => train("own-source", "--optimizer=integer-madam", ...flags);
  const eight = ["--optimizer.base=0.01", "--optimizer.levels=256"];
  const own = await resolved(...eight);
  expect(own).toMatchObject({ precision: { update: { format: "lns8-eta0.01" } }, optimizer: { base: 0.01, levels: 256 } });
  expect((await resolved("--precision=madam-b10")).optimizer).toMatchObject({ base: 0.005, levels: 1024 });
  expect((await resolved("--precision=fp32", ...eight)).optimizer).toMatchObject({ base: 0.01, levels: 256 });
  expect((await resolved("--precision=madam-b8", ...eight)).precision).toBe("madam-b8");
  const flags = ["--optimizer=integer-madam", "--precision=madam-b10", "--optimizer.base=0.01"];
  expect(await faults("own-source", ...flags)).toBe(
    'logrung: "optimizer.base" is 0.01, but the weights lie on lns10-eta0.005, whose own is 0.005: leave it out, or choose another precision',
  );
  expect(await faults("own-source", "--optimizer=integer-madam", "--optimizer.levels=1000")).toMatch(
    /"optimizer\.levels" is 1000, wants a power of two from 8 to 32768; or "precision" fp32/,
  );
  await writeFile(join(folder, "own.json"), JSON.stringify(own));
  expect(await train("own.json")).toEqual(own);
}); // prettier-ignore

it("what would have no effect is refused, but runs that have it go on", async () => {
  const flags = ["--schedule=plateau", "--evaluate.every=0"];
  expect(await faults("own-source", ...flags)).toMatch(/"plateau", which goes by validations: wants "evaluate.every" above 0/);
  expect(await faults("fashion-mnist-gan", "--schedule=plateau")).toMatch(/a GAN has no loss that falls/);
  expect(await faults("own-source", "--average.format=lns8-g16")).toMatch(/no average is kept: wants "average.decay"/);
  const saved = JSON.parse(JSON.stringify(await train("own-source", "--schedule=plateau"))) as JsonObject;
  const base = { ...saved, evaluate: { every: 0, batches: 1 } };
  expect((await resolveConfig({ base })).evaluate.every).toBe(0);
}); // prettier-ignore

it("an architecture that the images do not fit is refused by name", async () => {
  const patches = ["patch=5", "width=16", "layers=1", "heads=2"].map((size) => `--model.sizes.${size}`);
  expect(await faults("fashion-mnist-mlp", "--model=vit", ...patches)).toMatch(
    /"model.name" is "vit", which does not fit fashion-mnist: .*28×28: sides must divide/,
  );
});

it("a run of an older version lacks keys, and may go on", async () => {
  const wanted = await train("own-source");
  const later = ["groups", "zeros", "average", "accumulate", "gradientClipValue"];
  const saved = JSON.parse(JSON.stringify(wanted)) as Record<string, unknown>;
  for (const key of later) delete saved[key];
  const { name, warmup, final } = wanted.schedule;
  if (wanted.task !== "language") throw new Error("own-source is a text");
  const { level: _, ...data } = wanted.data;
  const { hidden: __, ...model } = wanted.model;
  const old = { ...saved, data, model, schedule: { name, warmup, final } } as JsonObject;
  expect(await resolveConfig({ base: old })).toEqual(wanted);
  expect(resumeConflicts(old, wanted)).toEqual([]);
  expect(resumeConflicts(old, await train("own-source", "--ema=0.9"))).toEqual(["average"]);
});

describe("a language model's settings", () => {
  const model = async (...flags: string[]) => {
    const config = await train("own-source", ...flags);
    return config.task === "language" ? config.model : undefined;
  };

  it("take a preset's sizes where others are not given, and the architecture's own", async () => {
    const sizes = {
      name: "gpt2",
      layers: 12,
      width: 768,
      heads: 12,
      hidden: 3072,
      init: "gpt2",
      context: 96,
    };
    expect(await model("--model.preset=gpt2", "--context=96")).toMatchObject(sizes);
    const paper = { name: "transformer-lm", width: 200, hidden: 200, init: "pytorch", dropout: 0.2 };
    expect(await model("--model.preset=wikitext2-transformer")).toMatchObject(paper);
    expect(await model()).toMatchObject({ name: "gpt2", hidden: 512, init: "fan-in" });
  });

  it("are refused where the architecture has no such initial values", async () => {
    const wrong = await faults("own-source", "--model=transformer-lm", "--model.init=gpt2");
    expect(wrong).toContain('"model.init" is "gpt2", transformer-lm wants pytorch');
  });
});

it("resumeConflicts names what must stay", async () => {
  const saved = JSON.parse(JSON.stringify(await train("own-source"))) as JsonObject;
  const wanted = await train("own-source", "--threads=3", "--steps=9", "--seed=2", "--model.layers=1");
  expect(resumeConflicts(saved, wanted).toSorted()).toEqual(["model", "seed"]);
});

describe("recipes", () => {
  it.each(Object.keys(recipes))("%s resolves, and so do its groups and precision", async (name) => {
    const { config, builtInData } = recipes[name as keyof typeof recipes];
    const { data } = config as { data?: { name?: string; set?: string } };
    const places = builtInData || data?.set ? [] : data?.name && data.name !== "folder" ? [] : ["--data=x"];
    expect((await train(name, ...places)).recipe).toBe(name);
  });

  it.each([
    ["cifar10-resnet18", [[4800, 1], [4801, 0.1], [9600, 0.1], [9601, 0.01], [14_400, 0.01]]],
    ["cifar100-resnet18", [[4800, 1], [4801, 0.1]]],
    ["cifar10-gan", [[19_500, 1], [19_501, 0.1], [23_595, 0.1]]],
    ["imagenet-resnet50", [[512_440, 1], [512_441, 0.1]]],
    ["wikitext2-transformer", [[1492, 1], [1493, 0.1]]],
  ] as const)("%s decays after the paper's epochs", async (name, points) => {
    const { schedule, steps } = await train(name, ...(name.startsWith("imagenet") ? ["--data=x"] : []));
    for (const [t, factor] of points) expect(learningRateFactor(schedule, t, steps)).toBeCloseTo(factor, 12);
  });
}); // prettier-ignore
