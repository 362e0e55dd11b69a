// Write a kernel once, as data; every backend runs it. Here: the softsign, and its exact judge.
import {
  createReferenceBackend,
  createWasmBackend,
  Device,
  element,
  output,
  pointwise,
  readTensor,
} from "logrung";

const softsign = pointwise("softsign", { x: element("f32") }, { steepness: "f32" }, ({ x, steepness }) => {
  const scaled = x.mul(steepness);
  return { y: output("f32", scaled.div(scaled.abs().add(1))) };
});

for (const backend of [createReferenceBackend(), await createWasmBackend()]) {
  const device = new Device(backend);
  const x = device.tensor(new Float32Array([-4, -1, 0, 1, 4]), [5]);
  const y = device.empty([5]);
  const call = {
    inputs: { x },
    outputs: { y },
    uniforms: { steepness: 0.5 },
    sizes: { rows: 1, columns: 5 },
  };
  device.run(softsign, call);
  console.log(backend.name, [...(await readTensor(y))].map((v) => v.toFixed(4)).join(" "));
  await device.close();
}
