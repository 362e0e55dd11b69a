/** Our optimisers in the real TensorFlow.js: the same steps as our own, and everything a tf.Optimizer does. */
import * as tf from "@tensorflow/tfjs";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { classNameOf } from "../../src/interop/class-names.ts";
import { optimizersFor, type TfOptimizer, type TfOptimizerClass } from "../../src/interop/tfjs.ts";
import { optimizers } from "../../src/optim/optimizers.generated.ts";
import {
  cases,
  closeOurs,
  distance,
  gradientsAt,
  lrFactorAt,
  ourOutcome,
  shapes,
  starts,
  STEPS,
} from "./ours.ts";

const classes: Readonly<Record<string, TfOptimizerClass>> = optimizersFor(tf);
const names = Object.keys(optimizers);
const classOf = (name: string): TfOptimizerClass => classes[classNameOf(name)];
const tensorNames = ["first", "second"];

beforeAll(async () => {
  vi.spyOn(console, "warn").mockReturnValue(); // TensorFlow.js advises its native addon
  await tf.setBackend("cpu");
});
afterEach(() => tf.disposeVariables());
afterAll(closeOurs);

const makeVariables = (values: readonly ArrayLike<number>[] = starts): tf.Variable[] =>
  values.map((x, i) =>
    tf.tidy(() => tf.variable(tf.tensor(Float32Array.from(x), [...shapes[i]]), true, tensorNames[i])),
  );

/** Steps `from` to `to` on the recorded gradients. */
function run(optimizer: TfOptimizer, from: number, to: number): void {
  const { learningRate } = optimizer;
  for (let t = from; t <= to; t++) {
    optimizer.learningRate = learningRate * lrFactorAt(t);
    tf.tidy(() => {
      const given = gradientsAt(t).map((g, i) => ({
        name: tensorNames[i],
        tensor: tf.tensor(g, [...shapes[i]]),
      }));
      optimizer.applyGradients(given);
    });
  }
  optimizer.learningRate = learningRate;
}

const valuesOf = (variables: readonly tf.Variable[]): number[][] =>
  variables.map((variable) => [...variable.dataSync()]);

describe("50 steps on recorded gradients", () => {
  it.each(cases)("$name $options", async (setting) => {
    const variables = makeVariables();
    const optimizer = new (classOf(setting.name))(setting.options);
    run(optimizer, 1, STEPS);
    const ours = await ourOutcome(setting, tensorNames);
    expect(distance(setting, valuesOf(variables), ours.training)).toBeLessThan(1e-5);
    optimizer.useEvaluationWeights();
    expect(distance(setting, valuesOf(variables), ours.evaluation)).toBeLessThan(1e-5);
    optimizer.useTrainingWeights();
    expect(distance(setting, valuesOf(variables), ours.training)).toBeLessThan(1e-5);
    optimizer.dispose();
    tf.dispose(variables);
  });

  it("integer-madam stays on its ladder", async () => {
    const variables = makeVariables();
    const options = { base: 0.01, levels: 256, lr: 0.05 };
    const optimizer = new classes.IntegerMadam(options);
    run(optimizer, 1, STEPS);
    const ours = await ourOutcome({ name: "", optimizer: optimizers["integer-madam"], options }, tensorNames);
    valuesOf(variables).forEach((tensor, i) => {
      const meanSquare = starts[i].reduce((sum, x) => sum + x * x, 0) / starts[i].length;
      const rung = (w: number): number => Math.log((3 * Math.sqrt(meanSquare)) / Math.abs(w)) / 0.01;
      const rungs = tensor.map(rung);
      for (const k of rungs) expect(Math.abs(k - Math.round(k))).toBeLessThan(0.002);
      expect(rungs.map(Math.round)).toEqual(ours.training[i].map((w) => Math.round(rung(w))));
      expect(tensor.map(Math.sign)).toEqual([...starts[i]].map(Math.sign));
    });
    optimizer.dispose();
    tf.dispose(variables);
  });
});

describe.each(names)("%s", (name) => {
  const Optimizer = classOf(name);

  it("goes on from getWeights and setWeights as if it had not stopped", async () => {
    const straight = makeVariables();
    const whole = new Optimizer({ seed: 3 });
    run(whole, 1, 9);
    const expected = valuesOf(straight);
    tf.dispose(straight);

    const before = makeVariables();
    const first = new Optimizer({ seed: 3 });
    run(first, 1, 4);
    const after = valuesOf(before);
    const saved = await first.getWeights();
    tf.dispose(before);
    const resumed = makeVariables(after);
    const second = new Optimizer({ seed: 3 });
    await second.setWeights(saved);
    first.dispose();
    expect((await second.getWeights()).map(({ name: field }) => field)).toEqual(
      saved.map(({ name: field }) => field),
    );
    run(second, 5, 9);
    expect(valuesOf(resumed)).toEqual(expected);
    whole.dispose();
    second.dispose();
    tf.dispose([resumed, saved.map(({ tensor }) => tensor)]);
  });

  it("keeps no more tensors from its second step on, and none once disposed of", () => {
    const empty = tf.memory().numTensors;
    const variables = makeVariables();
    const optimizer = new Optimizer();
    const counts = [1, 2, 3, 4, 5].map((t) => {
      run(optimizer, t, t);
      return tf.memory().numTensors;
    });
    expect(new Set(counts.slice(1)).size).toBe(1);
    optimizer.useEvaluationWeights();
    expect(tf.memory().numTensors).toBe(counts[4]);
    optimizer.dispose();
    tf.dispose(variables);
    expect(tf.memory().numTensors).toBe(empty);
  });

  it("comes back from its configuration", () => {
    const optimizer = new Optimizer({ lr: 0.0123, seed: 5, zeros: "floor" });
    const again = tf.serialization.SerializationMap.getMap().classNameMap[optimizer.getClassName()];
    const copy = again[1](again[0], optimizer.getConfig());
    expect(copy).toBeInstanceOf(Optimizer);
    expect(copy.getConfig()).toEqual(optimizer.getConfig());
    expect(optimizer.getConfig()).toMatchObject({ lr: 0.0123, seed: 5, zeros: "floor" });
  });

  it("lowers the loss of a compiled model", async () => {
    const model = smallModel();
    const lr = { fromage: 0.03, sgd: 0.05 }[name] ?? 0.01;
    const init = "init" in optimizers[name as keyof typeof optimizers].options ? { init: "weights" } : {};
    const optimizer = new Optimizer({ lr, zeros: "floor", ...init });
    model.compile({ optimizer, loss: "meanSquaredError" });
    const [x, y] = problem();
    const { history } = await model.fit(x, y, { epochs: 8, batchSize: 8, shuffle: false, verbose: 0 });
    const losses = history.loss.map(Number);
    expect(losses[7]).toBeLessThan(0.7 * losses[0]);
    tf.dispose([x, y]);
    model.dispose();
  });
});

function smallModel(): tf.Sequential {
  const initial = (seed: number) => tf.initializers.glorotNormal({ seed });
  return tf.sequential({
    layers: [
      tf.layers.dense({ units: 16, activation: "tanh", inputShape: [4], kernelInitializer: initial(1) }),
      tf.layers.dense({ units: 1, kernelInitializer: initial(2) }),
    ],
  });
}

/** y = x₀ - x₁ x₂ of 64 points. */
const problem = (): [tf.Tensor2D, tf.Tensor2D] =>
  tf.tidy(() => {
    const x = tf.randomNormal<tf.Rank.R2>([64, 4], 0, 1, "float32", 7);
    const [a, b, c] = tf.split(x, 4, 1);
    return [x, tf.sub(a, tf.mul(b, c))];
  });

it.each(["Madam", "LMD"])("%s is saved with its model, and training goes on from the file", async (name) => {
  const [x, y] = problem();
  const fit = async (model: tf.LayersModel): Promise<number> => {
    const { history } = await model.fit(x, y, { epochs: 3, batchSize: 16, shuffle: false, verbose: 0 });
    return Number(history.loss[2]);
  };
  const model = smallModel();
  model.compile({ optimizer: new classes[name]({ zeros: "floor" }), loss: "meanSquaredError" });
  await fit(model);
  let artifacts: tf.io.ModelArtifacts = {};
  const handler = tf.io.withSaveHandler(async (given) => {
    artifacts = given;
    return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: "JSON" } };
  });
  await model.save(handler, { includeOptimizer: true });
  const straight = await fit(model);
  const loaded = await tf.loadLayersModel(tf.io.fromMemory(artifacts));
  expect(loaded.optimizer.getConfig()).toEqual(model.optimizer.getConfig());
  expect(await fit(loaded)).toBe(straight);
  tf.dispose([x, y]);
  model.dispose();
  loaded.dispose();
});

describe("what it is given", () => {
  const gradientOf = (name: string) => ({ [name]: tf.zeros([...shapes[0]]) });

  it("zero weights stay under a multiplicative rule, or start at a hundredth of the mean size", () => {
    const train = (zeros: "keep" | "floor"): number[] => {
      const variable = tf.variable(tf.tensor([0, 0.5, 0, -0.5]), true, "some zeros");
      const optimizer = new classes.Madam({ zeros });
      optimizer.applyGradients({ [variable.name]: tf.ones([4]) });
      const values = [...variable.dataSync()];
      variable.dispose();
      return values;
    };
    expect(train("keep").filter((w) => w === 0)).toHaveLength(2);
    expect(train("floor").map((w) => Math.abs(w) > 0.003)).toEqual([true, true, true, true]);
  });

  it("is refused where it does not fit", async () => {
    expect(() => new classes.Madam({ momentun: 0.9 })).toThrow(/optimiser madam has no option "momentun"/);
    expect(() => new classes.Madam({ seed: 0.5 })).toThrow(/seed is 0.5, wants an integer/);
    expect(() => Reflect.construct(classes.Madam, [{ zeros: "exempt" }])).toThrow(
      /zeros is "exempt", wants one of/,
    );
    expect(() => new classes.Madam().applyGradients(gradientOf("nobody"))).toThrow(/no variable "nobody"/);
    const variables = makeVariables();
    const saving = new classes.Madam();
    run(saving, 1, 1);
    const other = new classes.Madam();
    await other.setWeights(await saving.getWeights());
    expect(() => other.applyGradients({ second: tf.zeros([5]) })).toThrow(
      /state "first\/v" is of 24 numbers, its variable "second" of 5/,
    );
    tf.dispose(variables);
  });
});
