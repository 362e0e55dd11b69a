// A number format of one's own: the values of its codes. Here posit8 (Posit Standard 2022, two exponent bits).
import {
  addFormat,
  createGroup,
  createWasmBackend,
  Device,
  dequantise,
  format,
  optimizers,
  quantise,
  readTensor,
  readValues,
  tableFormat,
} from "logrung";

/** sign · 16^r · 2^e · 1.f: a run of equal bits gives r, two bits e, what is left f; negative codes in two's complement. */
function posit(code: number, bits: number): number {
  const half = 2 ** (bits - 1);
  if (code === half) return NaN; // NaR, not a real
  if (code > half) return -posit(2 * half - code, bits);
  if (code === 0) return 0;
  const digits = code.toString(2).padStart(bits - 1, "0");
  const run = digits.search(digits[0] === "1" ? /0|$/ : /1|$/);
  const regime = digits[0] === "1" ? run - 1 : -run;
  const rest = digits.slice(run + 1).padEnd(2, "0");
  const exponent = Number.parseInt(rest.slice(0, 2), 2);
  const fraction = rest.length > 2 ? Number.parseInt(rest.slice(2), 2) / 2 ** (rest.length - 2) : 0;
  return 2 ** (4 * regime + exponent) * (1 + fraction);
}

const values = Array.from({ length: 256 }, (_, code) => posit(code, 8));
// Posits round as bit patterns do: between two of them the boundary is the posit one bit longer; only 0 rounds to 0.
const midpoint = (low: number): number => (low === 0 ? 0 : posit(2 * values.indexOf(low) + 1, 9));
const posit8 = tableFormat("posit8", 8, values, { midpoint, infinity: "nan" });
addFormat({ pattern: /^posit8$/, examples: ["posit8"], parse: () => posit8 });

// From here on its name works like any other: quantised tensors …
const device = new Device(await createWasmBackend());
const x = device.tensor(new Float32Array([1, -0.7, 0.3, 0.001]), [1, 4]);
const coded = quantise(
  x,
  { format: "posit8", rounding: "nearest-even", scale: 1 },
  { channel: 0, reduction: 1 },
  [1, 2],
);
console.log(`codes ${[...(await readTensor(coded))].join(" ")}`);
console.log(`stand for ${[...(await readTensor(dequantise(coded)))].join(" ")}`);
console.log(`largest ${format("posit8").info.max}, smallest ${format("posit8").info.minPositive}`);

// … and weights that are held in it, and in nothing else, while they learn the target.
const target = [0.9, -0.4, 0.05, 3];
const weights = { ...device.tensor(new Float32Array([1, 1, 1, 1]), [4]), tracked: true };
const parameter = { name: "w", kind: "matrix" as const, tensor: weights };
const weight = { format: "posit8", rounding: "stochastic" as const, scale: "none" as const };
const group = await createGroup({
  optimizer: optimizers.adamw,
  options: { lr: 0.03, weightDecay: 0 },
  precision: { weight, gradient: null, moment: { first: null, second: null } },
  parameters: [parameter],
  seed: 1,
});
const error = async (): Promise<number> =>
  Math.hypot(...(await readValues(parameter.tensor)).map((w, i) => w - target[i]));
console.log(`distance ${(await error()).toFixed(3)}`);
for (let t = 1; t <= 200; t++) {
  const gradient = (await readValues(parameter.tensor)).map((w, i) => w - target[i]);
  await device.step(() =>
    group.step(new Map([[parameter.tensor, device.tensor(gradient, [4])]]), { t, lrFactor: 1 - t / 200 }),
  );
}
console.log(
  `distance ${(await error()).toFixed(3)}, codes ${[...(await readTensor(parameter.tensor))].join(" ")}`,
);
await device.close();
