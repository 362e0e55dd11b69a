/** Our optimisers in the real jax-js: the same steps as our own, compiled once, with no array left behind. */
import * as jax from "@jax-js/jax";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { ArrayOptimizer } from "../../src/interop/array-optimizer.ts";
import { functionNameOf } from "../../src/interop/class-names.ts";
import {
  transformationsFor,
  type GradientTransformation,
  type MakeTransformation,
} from "../../src/interop/jax.ts";
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
import { recordedJax } from "./recorded-jax.ts";

const { numpy: np, tree } = jax;
const names = Object.keys(optimizers);
const makers: Readonly<Record<string, MakeTransformation>> = transformationsFor(jax);
const makerOf = (name: string): MakeTransformation => makers[functionNameOf(name)];
type Pair = { a: jax.numpy.Array; b: jax.numpy.Array };

/** jax-js asks for `navigator`, which Node has from version 21 on. */
const lacking = "navigator" in globalThis ? "" : " (skipped: jax-js wants Node 21 or newer)";

const pairOf = (values: readonly Float32Array[]): Pair => {
  const [a, b] = values.map((x, i) => np.array(Float32Array.from(x)).reshape([...shapes[i]]));
  return { a, b };
};
const read = ({ a, b }: Pair): number[][] => [[...a.dataSync()], [...b.dataSync()]];

/** Steps `from` to `to` on the recorded gradients; consumes parameters and state. */
function run(
  solver: GradientTransformation,
  [params, state]: [Pair, jax.JsTree<jax.numpy.Array>],
  [from, to]: [number, number],
  lr: number,
): [Pair, jax.JsTree<jax.numpy.Array>] {
  for (let t = from; t <= to; t++) {
    const gradients = pairOf(gradientsAt(t));
    const [updates, next] = solver.update(gradients, state, tree.ref(params), { lr: lr * lrFactorAt(t) });
    params = { a: np.add(params.a, updates.a), b: np.add(params.b, updates.b) };
    state = next;
  }
  return [params, state];
}

const lrOf = (name: string): number => Number(optimizers[name as keyof typeof optimizers].options.lr.default);

function begin(solver: GradientTransformation): [Pair, jax.JsTree<jax.numpy.Array>] {
  const params = pairOf(starts);
  return [params, solver.init(tree.ref(params))];
}

describe.skipIf(lacking)(`jax-js${lacking}`, () => {
  beforeAll(async () => {
    await jax.init("wasm");
    jax.defaultDevice("wasm");
  });
  afterEach(() => void vi.restoreAllMocks());
  afterAll(closeOurs);

  it.each(cases)("50 steps on recorded gradients: $name $options", async (setting) => {
    const solver = makerOf(setting.name)(setting.options);
    const [params, state] = run(solver, begin(solver), [1, STEPS], lrOf(setting.name));
    const ours = await ourOutcome(setting, ["leaf 0", "leaf 1"]);
    expect(distance(setting, read(tree.ref(params)), ours.training)).toBeLessThan(1e-5);
    const judged = solver.evaluationParams(state, params);
    expect(distance(setting, read(judged), ours.evaluation)).toBeLessThan(1e-5);
  });

  it("integer-madam stays on its ladder", async () => {
    const options = { base: 0.01, levels: 256, lr: 0.05 };
    const solver = makers.integerMadam(options);
    const [params, state] = run(solver, begin(solver), [1, STEPS], 0.05);
    tree.dispose(state);
    const ours = await ourOutcome({ name: "", optimizer: optimizers["integer-madam"], options }, [
      "leaf 0",
      "leaf 1",
    ]);
    read(params).forEach((tensor, i) => {
      const meanSquare = starts[i].reduce((sum, x) => sum + x * x, 0) / starts[i].length;
      const rung = (w: number): number => Math.log((3 * Math.sqrt(meanSquare)) / Math.abs(w)) / 0.01;
      const rungs = tensor.map(rung);
      for (const k of rungs) expect(Math.abs(k - Math.round(k))).toBeLessThan(0.002);
      expect(rungs.map(Math.round)).toEqual(ours.training[i].map((w) => Math.round(rung(w))));
    });
  });

  describe.each(names)("%s", (name) => {
    it("is traced once for each shape and compiled no more after two steps, whatever the rate", () => {
      const traced = vi.spyOn(ArrayOptimizer.prototype, "step");
      const compiled = vi.spyOn(WebAssembly, "Module");
      const solver = makerOf(name)();
      let params = { a: np.array([1, -2, 3, 4, -5, 6, 7]), b: np.array([[1, -2, 3]]) };
      let state = solver.init(tree.ref(params));
      for (let t = 1; t <= 12; t++) {
        const gradients = { a: np.array([1, 2, 3, t, -t, 4, 5]), b: np.array([[t, 0, 1]]) };
        const [updates, next] = solver.update(gradients, state, tree.ref(params), { lr: 0.01 / t });
        params = tree.map(np.add, params, updates);
        state = next;
        for (const x of tree.leaves<jax.numpy.Array>([params, state])) x.ref.dataSync(); // computes what is pending
        if (t === 2) {
          if (name === names[0]) expect(compiled).toHaveBeenCalled(); // later ones may find kernels of these shapes
          compiled.mockClear();
        }
      }
      expect(traced).toHaveBeenCalledTimes(2);
      expect(compiled).not.toHaveBeenCalled();
      tree.dispose([params, state]);
    });

    it("leaves no array behind", () => {
      const { recorded, alive } = recordedJax(jax);
      const solver = (transformationsFor(recorded) as typeof makers)[functionNameOf(name)]({
        zeros: "floor",
      });
      const params = { a: np.array([1, -2, 3]), b: np.array([[0.5], [0]]) };
      let state = solver.init(tree.ref(params));
      for (let t = 1; t <= 4; t++) {
        const gradients = { a: np.array([t, 1, -1]), b: np.array([[1], [t]]) };
        const [updates, next] = solver.update(gradients, state, tree.ref(params));
        for (const given of tree.leaves(gradients)) expect(given.refCount).toBe(0);
        tree.dispose(updates);
        state = next;
        const kept = new Set(tree.leaves(state));
        expect(alive().length).toBeGreaterThan(0);
        expect(alive().filter((x) => !kept.has(x))).toEqual([]);
      }
      tree.dispose(solver.evaluationParams(state, tree.ref(params)));
      expect(alive()).toEqual([]);
      expect(tree.leaves(params).map(({ refCount }) => refCount)).toEqual([1, 1]);
      tree.dispose(params);
    });

    it("is a pure function of its state", () => {
      const solver = makerOf(name)();
      const [params, state] = run(solver, begin(solver), [1, 3], lrOf(name));
      const again = (): number[][] => {
        const [end, rest] = run(solver, [tree.ref(params), tree.ref(state)], [4, 6], lrOf(name));
        tree.dispose(rest);
        return read(end);
      };
      const first = again();
      expect(again()).toEqual(first);
      expect(first).not.toEqual(read(tree.ref(params)));
      tree.dispose([params, state]);
    });
  });

  it("trains by jax.grad", () => {
    const x = np.array([[1, 2], [3, -1], [0.5, 0.5], [-2, 1]]); // prettier-ignore
    const y = np.array([-1, 7, 0.5, -5]);
    const loss = ({ w }: { w: jax.numpy.Array }): jax.numpy.Array =>
      np.square(np.subtract(np.matmul(x.ref, w), y.ref)).mean();
    const lossOf = (w: jax.numpy.Array): number => loss({ w }).item();
    const solver = makers.adamw({ lr: 0.1 });
    let params = { w: np.array([0.1, 0.1]) };
    const before = lossOf(params.w.ref);
    let state = solver.init(tree.ref(params));
    for (let t = 1; t <= 60; t++) {
      const gradients = jax.grad(loss)(tree.ref(params));
      const [updates, next] = solver.update(gradients, state, tree.ref(params));
      params = { w: np.add(params.w, updates.w) };
      state = next;
    }
    tree.dispose(state);
    expect(lossOf(params.w)).toBeLessThan(0.05 * before);
    tree.dispose([x, y]);
  });

  it("refuses what does not fit", () => {
    expect(() => makers.madam({ momentun: 0.9 })).toThrow(/optimiser madam has no option "momentun"/);
    expect(() => makers.madam({ seed: 0.5 })).toThrow(/seed is 0.5, wants an integer/);
    const solver = makers.madam();
    const state = solver.init([np.array([1])]);
    const one = () => np.array([1]);
    expect(() => solver.update([one()], [one()], [one()])).toThrow(
      /not one that this transformation's init made/,
    );
    expect(() => solver.update([one()], state, [one(), one()])).toThrow(
      /2 parameters, 1 gradients and state of 1: wants one tree for all/,
    );
  });
});
