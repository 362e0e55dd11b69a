// A tiny GPT on a sentence, weights and optimiser state in 3 bytes a parameter.
import { createTrainer, createWasmBackend, Device, gpt2, optimizers, parsePolicy, sample } from "logrung";

const device = new Device(await createWasmBackend());
const sizes = { vocabulary: 128, context: 32, layers: 1, width: 32, heads: 2, init: "fan-in" } as const;
const model = gpt2(device, sizes, 1);
const policy = parsePolicy("state8");
const trainer = await createTrainer({
  device, model, policy, seed: 1, steps: 150, dropout: 0, gradientClip: null,
  schedule: { name: "cosine", warmup: 0.1, final: 0.1 },
  optimizer: optimizers["lns-madam"], options: { lr: 0.1, momentum: 0.9, beta: 0.99 },
  exemptOptimizer: optimizers.adamw, exemptOptions: { lr: 0.01 }, exemptEmbeddings: false,
}); // prettier-ignore
const text = new TextEncoder().encode("the rungs of a ladder are evenly spaced in the logarithm. ".repeat(3));
for (let t = 1; t <= 150; t++) {
  const [inputs, targets] = [0, 1].map((shift) =>
    Int32Array.from(text.subarray((t % 58) + shift, (t % 58) + shift + 32)),
  );
  const { loss } = await trainer.step({ rows: 1, context: 32, inputs, targets }, t);
  if (t === 1 || t % 50 === 0) console.log(`step ${t}: loss ${loss.toFixed(3)}`);
}
let written = "";
for await (const symbol of sample(device, model, policy, text.subarray(0, 8), {
  length: 40,
  temperature: 0,
})) {
  written += String.fromCharCode(symbol);
}
console.log(`the rung${written}`);
await device.close();
