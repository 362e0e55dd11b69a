/**
 * Sweeps float32 inputs through the transcendentals of a backend and prints the largest error of each, in
 * ulp.
 *
 *   node tools/ulp-sweep.ts [reference | wasm] [stride = 1] [exp,log,…]
 *
 * Stride 1 takes all 2³² bit patterns: more than ten minutes a function on wasm, hours on the reference.
 */
import type { Backend } from "../src/kernels/backend.ts";
import type { ExpandedOp } from "../src/kernels/math/index.ts";
import { pointwise, type PointwiseKernel } from "../src/kernels/pointwise.ts";
import { createReferenceBackend } from "../src/kernels/reference/index.ts";
import { element, output } from "../src/kernels/signature.ts";
import { createWasmBackend } from "../src/kernels/wasm/index.ts";
import { exactly, patterns, ulpError } from "../test/conformance/kernels/ulp.ts";

const CHUNK = 2 ** 20;

interface Worst {
  readonly error: number;
  readonly x: number;
  readonly got: number;
}

async function backendNamed(name: string): Promise<Backend> {
  if (name === "reference") return createReferenceBackend({ precision: "float32" });
  if (name === "wasm") return createWasmBackend();
  throw new RangeError(`no backend "${name}" (known: reference, wasm)`);
}

const kernelOf = (op: ExpandedOp): PointwiseKernel =>
  pointwise(op, { x: element("f32") }, {}, ({ x }) => ({ y: output("f32", x[op]()) }));

async function sweep(backend: Backend, op: ExpandedOp, stride: number): Promise<Worst> {
  const executable = backend.compile(kernelOf(op));
  const x = { buffer: backend.allocate(4 * CHUNK), offset: 0 };
  const y = { buffer: backend.allocate(4 * CHUNK), offset: 0 };
  const total = Math.ceil(2 ** 32 / stride);
  let worst: Worst = { error: 0, x: 0, got: 0 };
  for (let done = 0; done < total; done += CHUNK) {
    const xs = patterns(done * stride, stride, Math.min(CHUNK, total - done));
    backend.write(x, xs);
    backend.run(executable, { inputs: { x }, outputs: { y }, sizes: { rows: 1, columns: xs.length } });
    worst = worstOf(op, xs, await backend.read(y, "f32", xs.length), worst);
  }
  backend.free(x.buffer);
  backend.free(y.buffer);
  return worst;
}

function worstOf(op: ExpandedOp, xs: Float32Array, ys: ArrayLike<number>, before: Worst): Worst {
  let worst = before;
  for (let i = 0; i < xs.length; i++) {
    const error = ulpError(ys[i], exactly[op](xs[i]));
    if (error > worst.error) worst = { error, x: xs[i], got: ys[i] };
  }
  return worst;
}

const [name = "wasm", stride = "1", ops = Object.keys(exactly).join(",")] = process.argv.slice(2);
const backend = await backendNamed(name);
for (const op of ops.split(",") as ExpandedOp[]) {
  const { error, x, got } = await sweep(backend, op, Number(stride));
  console.log(`${op}: ${error.toFixed(3)} ulp at ${x}: got ${got}, exactly ${exactly[op](x)}`);
}
await backend.close();
