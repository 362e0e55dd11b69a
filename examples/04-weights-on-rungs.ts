// LNS-Madam moves weights by whole rungs: the weights are 8-bit codes and nothing else.
import {
  createGroup,
  createWasmBackend,
  Device,
  optimizers,
  parsePolicy,
  readTensor,
  readValues,
} from "logrung";

const device = new Device(await createWasmBackend());
const tensor = { ...device.tensor(new Float32Array([0.5, -0.25, 0.1, 0.8]), [4]), tracked: true };
const parameter = { name: "w", kind: "matrix" as const, tensor };
const { update, moment } = parsePolicy("state8");
const precision = { weight: update, gradient: null, moment };
const options = { lr: 0.1, momentum: 0.9, beta: 0.99 };
const group = await createGroup({
  optimizer: optimizers["lns-madam"],
  options,
  precision,
  parameters: [parameter],
  seed: 1,
});

for (let t = 1; t <= 5; t++) {
  await device.step(() => {
    const gradient = device.tensor(new Float32Array([1, 1, -1, -1]), [4]); // wants: down, down, up, up
    group.step(new Map([[parameter.tensor, gradient]]), { t, lrFactor: 1 });
  });
  const codes = [...(await readTensor(parameter.tensor))];
  const values = [...(await readValues(parameter.tensor))].map((v) => v.toFixed(3));
  console.log(`step ${t}: codes ${codes.join(" ")} stand for ${values.join(" ")}`);
}
await device.close();
