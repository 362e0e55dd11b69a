/** Small problems with known answers. All are solvable by rules that keep signs: starts and answers agree in them. */
import { normal } from "../../../src/random/normal.ts";

export interface Problem {
  readonly name: string;
  readonly shapes: readonly (readonly number[])[];
  readonly start: readonly (readonly number[])[];
  loss(w: readonly (readonly number[])[]): number;
  gradient(w: readonly (readonly number[])[]): number[][];
  /** What the loss should fall below, as a part of that of the start. */
  readonly reach: number;
}

const sum = (x: readonly number[]): number => x.reduce((a, b) => a + b, 0);

/** ½ Σ cᵢ (wᵢ - aᵢ)², curvatures from 1 to 10. */
function bowl(name: string, shapes: readonly (readonly number[])[]): Problem {
  const sizes = shapes.map((shape) => shape.reduce((a, b) => a * b, 1));
  const answer = sizes.map((size, t) =>
    Array.from({ length: size }, (_, i) => (i % 2 ? -1 : 1) * (0.5 + 0.25 * ((i + t) % 4))),
  );
  const curvature = (i: number): number => 1 + 3 * (i % 4);
  return {
    name,
    shapes,
    start: answer.map((a) => a.map((x) => Math.sign(x))),
    loss: (w) => sum(w.flatMap((row, t) => row.map((x, i) => (curvature(i) * (x - answer[t][i]) ** 2) / 2))),
    gradient: (w) => w.map((row, t) => row.map((x, i) => curvature(i) * (x - answer[t][i]))),
    reach: 0.01,
  };
}

/** ((1-x)² + 100 (y-x²)²) / 100 */
const rosenbrock: Problem = {
  name: "Rosenbrock's valley",
  shapes: [[2]],
  start: [[0.5, 1.5]],
  loss: ([[x, y]]) => (1 - x) ** 2 / 100 + (y - x * x) ** 2,
  gradient: ([[x, y]]) => [[-0.02 * (1 - x) - 4 * x * (y - x * x), 2 * (y - x * x)]],
  reach: 0.01,
};

const FEATURES = 4;
const truth = [2, -1.5, 1, -0.5];
const samples = Array.from({ length: 100 }, (_, s) => {
  const x = truth.map((_w, i) => normal([9, 9], s * FEATURES + i));
  const score = sum(x.map((xi, i) => xi * truth[i])) + 0.3 * normal([8, 8], s);
  return { x, label: score > 0 ? 1 : 0 };
});
const probability = (w: readonly number[], x: readonly number[]): number =>
  1 / (1 + Math.exp(-sum(x.map((xi, i) => xi * w[i]))));

/** Mean cross entropy of a hundred points in four dimensions, with a little L2 so that the answer is finite. */
const logistic: Problem = {
  name: "logistic regression",
  shapes: [[1, FEATURES]],
  start: [[0.9, -0.9, 0.9, -0.9]],
  loss: ([w]) => {
    const losses = samples.map(({ x, label }) => {
      const p = probability(w, x);
      return -Math.log(label === 1 ? p : 1 - p);
    });
    return sum(losses) / samples.length + 0.005 * sum(w.map((x) => x * x));
  },
  gradient: ([w]) => [
    w.map((wi, i) => {
      const terms = samples.map(({ x, label }) => (probability(w, x) - label) * x[i]);
      return sum(terms) / samples.length + 0.01 * wi;
    }),
  ],
  reach: 0.75,
};

export const problems: readonly Problem[] = [
  bowl("quadratic bowl", [[12]]),
  rosenbrock,
  logistic,
  bowl("tensors of mixed shapes", [[7], [3, 5], [1, 1], [2, 3, 4], [1, 70], [70, 1]]),
];
