// LMD in jax-js: each weight is the difference of two noisy positive numbers, trained by multiplication.
import * as jax from "@jax-js/jax";
import { transformationsFor } from "logrung/jax";

await jax.init("wasm");
jax.defaultDevice("wasm");
const { numpy: np, tree } = jax;
const { lmd } = transformationsFor(jax);

type Params = { w: jax.numpy.Array };
const x = jax.random.normal(jax.random.key(1), [32, 3]);
const y = np.matmul(x.ref, np.array([1, -2, 0.5]));
const loss = ({ w }: Params) => np.square(np.subtract(np.matmul(x.ref, w), y.ref)).mean();

let params: Params = { w: np.array([0.3, 0.3, 0.3]) };
const solver = lmd({ lr: 0.02, floor: 1, seed: 7 });
let state = solver.init(tree.ref(params));
for (let t = 0; t <= 150; t++) {
  if (t % 50 === 0) {
    const mean = solver.evaluationParams(tree.ref(state), tree.ref(params)); // without the noise
    console.log(`step ${t} loss ${loss(mean).item().toFixed(5)}`);
  }
  const [updates, next] = solver.update(jax.grad(loss)(tree.ref(params)), state, tree.ref(params));
  params = { w: np.add(params.w, updates.w) };
  state = next;
}
const { w } = solver.evaluationParams(state, params);
console.log(`weights ${[...w.dataSync()].map((value) => value.toFixed(2)).join(" ")}`);
tree.dispose([x, y]);
