/**
 * Compares the encoding programs of a backend with the scalar encoders of the formats, code by code, and prints for each
 * format and rounding how many inputs were equal. Exits with 1 at the first difference.
 *
 *   node tools/format-sweep.ts [--formats a,b,…] [--roundings a,b,…] [--backend wasm | reference]
 *                              [--inputs 10000000 | --exhaustive]
 *
 * Inputs are bit patterns of float32 at equal distances, so every sign and exponent comes up; `--exhaustive` takes all
 * 2³², which lasts 4 to 15 minutes for a float and one rounding. Stochastic rounding gets other random bits for each. One
 * thread. Default: every example of the registry of at most 16 bits, all roundings, 10⁷ inputs. Progress goes to stderr.
 */
import { parseArgs } from "node:util";
import { format, formatExamples, roundings, type Rounding, type ScalarFormat } from "../src/formats/index.ts";
import type { Backend } from "../src/kernels/backend.ts";
import { encodeValue } from "../src/kernels/codec.ts";
import { pointwise } from "../src/kernels/pointwise.ts";
import { createReferenceBackend } from "../src/kernels/reference/index.ts";
import { element, output } from "../src/kernels/signature.ts";
import { createWasmBackend } from "../src/kernels/wasm/index.ts";
import { randomBits } from "../src/random/random-bits.ts";

const CHUNK = 2 ** 18;

async function openBackend(name: string): Promise<Backend> {
  if (name === "reference") return createReferenceBackend({ precision: "float32" });
  if (name === "wasm") return createWasmBackend({ threads: 1 });
  throw new RangeError(`no backend "${name}" (known: reference, wasm)`);
}

/** Inputs of one chunk: patterns start + i · stride modulo 2³², as floats. */
function patterns(start: number, stride: number, count: number): Float32Array {
  const bits = new Uint32Array(count);
  for (let i = 0; i < count; i++) bits[i] = start + i * stride;
  return new Float32Array(bits.buffer);
}

/** @throws Error naming the first input whose code differs. */
async function sweep(
  backend: Backend,
  target: ScalarFormat,
  rounding: Rounding,
  inputs: number,
): Promise<void> {
  const kernel = pointwise("sweep", { x: element("f32"), u: element("u32") }, {}, (scope) => ({
    y: output("u16", encodeValue(target, scope.x, rounding, scope.u)),
  }));
  const executable = backend.compile(kernel);
  const place = (bytes: number) => ({ buffer: backend.allocate(bytes), offset: 0 });
  const [x, u, y] = [place(4 * CHUNK), place(4 * CHUNK), place(2 * CHUNK)];
  const us = new Uint32Array(CHUNK);
  const stride = 2 ** 32 / inputs;
  for (let done = 0; done < inputs; done += CHUNK) {
    const count = Math.min(CHUNK, inputs - done);
    const xs = patterns(Math.floor(done * stride), Math.max(1, Math.floor(stride)), count);
    for (let i = 0; i < count; i++) us[i] = randomBits(i, done >>> 0, 0x9e3779b9);
    backend.write(x, xs);
    backend.write(u, us);
    backend.run(executable, { inputs: { x, u }, outputs: { y }, sizes: { rows: 1, columns: count } });
    const codes = await backend.read(y, "u16", count);
    for (let i = 0; i < count; i++) {
      const code = target.encode(xs[i], rounding, us[i]);
      if (code !== codes[i])
        throw new Error(
          `${target.name} ${rounding} of ${xs[i]} (u ${us[i]}): got ${codes[i]}, wants ${code}`,
        );
    }
    if ((done / CHUNK) % 64 === 63)
      process.stderr.write(`${target.name} ${rounding}: ${((100 * done) / inputs).toFixed(1)} %\n`);
  }
  for (const { buffer } of [x, u, y]) backend.free(buffer);
}

const { values } = parseArgs({
  options: {
    formats: { type: "string", default: formatExamples().join(",") },
    roundings: { type: "string", default: roundings.join(",") },
    backend: { type: "string", default: "wasm" },
    inputs: { type: "string", default: "10000000" },
    exhaustive: { type: "boolean", default: false },
  },
});
const inputs = values.exhaustive ? 2 ** 32 : Number(values.inputs);
const chosen = roundings.filter((rounding) => values.roundings.split(",").includes(rounding));
const backend = await openBackend(values.backend);
for (const target of values.formats
  .split(",")
  .map(format)
  .filter(({ bits }) => bits <= 16)) {
  const start = performance.now();
  for (const rounding of chosen) await sweep(backend, target, rounding, inputs);
  const seconds = ((performance.now() - start) / 1000).toFixed(0);
  console.log(
    `${target.name}: ${inputs} inputs equal by ${chosen.join(", ")} (${values.backend}, ${seconds} s)`,
  );
}
await backend.close();
