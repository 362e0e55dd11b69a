// Tensors live on a device; what a step makes is freed at its end.
import { backward, createWasmBackend, Device, gelu, item, mean, readTensor } from "logrung";

const device = new Device(await createWasmBackend());
const x = { ...device.tensor(new Float32Array([-1, 0, 1, 2]), [4]), tracked: true };

const [loss, gradient] = await device.step(async () => {
  const y = mean(gelu(x)); // forward: operations are recorded on the tape
  const value = await item(y);
  const gradients = backward(y); // backward: the tape is walked once
  return [value, await readTensor(gradients.get(x) ?? x)];
});
console.log(`mean gelu ${loss.toFixed(5)}, gradient ${[...gradient].map((g) => g.toFixed(5)).join(" ")}`);
await device.close();
