// An optimiser is one object: options, moments, and the update of one weight. Here: signSGD with momentum.
import { createGroup, createWasmBackend, Device, f32, readValues, select, type Optimizer } from "logrung";

const signum: Optimizer = {
  name: "signum",
  summary: "steps of equal size along the sign of the momentum",
  options: { lr: { type: "number", default: 0.01, min: 0, exclusive: true, doc: "η, size of every step" } },
  state: () => ({ m: { role: "first", form: "mean", decay: 0.9 } }),
  uniforms: (_, lr) => ({ lr }),
  update: ({ w, m, uniform }) => ({
    kind: "additive",
    value: w.sub(select(m.gt(0), f32(1), f32(-1)).mul(uniform("lr"))),
  }),
};

const device = new Device(await createWasmBackend());
const parameter = {
  name: "w",
  kind: "matrix" as const,
  tensor: { ...device.tensor(new Float32Array([1, -1]), [2]), tracked: true },
};
const precision = { weight: null, gradient: null, moment: { first: null, second: null } };
const group = await createGroup({
  optimizer: signum,
  options: {},
  precision,
  parameters: [parameter],
  seed: 1,
});
for (let t = 1; t <= 50; t++) {
  const values = await readValues(parameter.tensor); // the gradient of |w|²/2 is w
  await device.step(() =>
    group.step(new Map([[parameter.tensor, device.tensor(values, [2])]]), { t, lrFactor: 1 }),
  );
}
console.log([...(await readValues(parameter.tensor))].map((v) => v.toFixed(3)).join(" "));
await device.close();
