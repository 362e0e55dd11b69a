// A classifier trained with every operand, weight and moment in 8-bit logarithmic codes.
import {
  backward,
  createGroups,
  createWasmBackend,
  crossEntropy,
  Device,
  item,
  mlp,
  optimizers,
} from "logrung";
import { parsePolicy, trainingPass } from "logrung";

const device = new Device(await createWasmBackend());
const policy = parsePolicy("lns-madam-8");
const { parameters, logits } = mlp(device, [2, 32, 3], 1);
const main = { optimizer: optimizers["lns-madam"], options: { lr: 0.1, momentum: 0.9, beta: 0.99 } };
const biases = { exemptOptimizer: optimizers.adamw, exemptOptions: { lr: 0.01 }, exemptEmbeddings: false };
const groups = await createGroups({ parameters, policy, seed: 1, ...main, ...biases });

const arm = (n: number) => n * 0.05 + (n % 3) * 2.1; // three arms of a spiral
const points = Float32Array.from(
  { length: 192 },
  (_, i) => (i / 192) * Math.cos(arm(i >> 1) - (i % 2) * 1.57),
);
const classes = Int32Array.from({ length: 96 }, (_, n) => n % 3);
for (let t = 1; t <= 300; t++) {
  await device.step(async () => {
    const scores = logits(device.tensor(points, [96, 2]), trainingPass(policy, 0, 1, t));
    const loss = crossEntropy(scores, device.tensor(classes, [96]));
    if (t === 1 || t % 100 === 0) console.log(`step ${t}: loss ${(await item(loss)).toFixed(4)}`);
    const gradients = backward(loss);
    for (const group of groups) group.step(gradients, { t, lrFactor: 1 });
  });
}
await device.close();
