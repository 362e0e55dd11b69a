/** Kernels bound by memory or by element-wise arithmetic: activations, dropout, softmax, layer norm. */
import type { BufferSlice, Kernel } from "../../src/kernels/backend.ts";
import { pointwise } from "../../src/kernels/pointwise.ts";
import { index, select } from "../../src/kernels/program.ts";
import { randomBits, uniformFloat } from "../../src/kernels/random.ts";
import { rows } from "../../src/kernels/rows.ts";
import { element, output, perColumn } from "../../src/kernels/signature.ts";
import { createWasmBackend } from "../../src/kernels/wasm/index.ts";
import { normals } from "../peers/protocol.ts";
import type { Row, Suite } from "../suite.ts";
import { interleave, median } from "../timing.ts";
import { filled } from "../work/gemm.ts";

const ROWS = 4096;
const COLUMNS = 1024;

const gelu = pointwise("gelu", { x: element("f32") }, {}, ({ x }) => ({
  y: output("f32", x.mul(0.5).mul(x.mul(Math.SQRT1_2).erf().add(1))),
}));
const geluByTanh = pointwise("gelu by tanh", { x: element("f32") }, {}, ({ x }) => {
  const inner = x
    .mul(x)
    .fma(0.044715 * 0.7978845608, 0.7978845608)
    .mul(x);
  return { y: output("f32", x.mul(0.5).mul(inner.tanh().add(1))) };
});
const exponential = pointwise("exp", { x: element("f32") }, {}, ({ x }) => ({ y: output("f32", x.exp()) }));
const dropout = pointwise(
  "dropout",
  { x: element("f32") },
  { key0: "u32", key1: "u32" },
  ({ x, key0, key1 }) => {
    const kept = uniformFloat(randomBits(index(), key0, key1)).lt(0.9);
    return { y: output("f32", select(kept, x.mul(1 / 0.9), 0)) };
  },
);
const softmax = rows("softmax", { x: element("f32") }, {}, (p) => {
  const top = p.reduce("top", "max", p.scope.x);
  const [e, sum] = p.storeAndReduce("y", output("f32", p.scope.x.sub(top).exp()), "sum", "sum");
  p.store({ y: output("f32", e.mul(sum.reciprocal())) });
});
const layerNorm = rows(
  "layer norm",
  { x: element("f32"), gain: perColumn("f32"), bias: perColumn("f32") },
  {},
  (p) => {
    const { x, gain, bias } = p.scope;
    const mean = p.reduce("sum", "sum", x).mul(1 / COLUMNS);
    const centred = x.sub(mean);
    const variance = p.reduce("squares", "sum", centred.mul(centred)).mul(1 / COLUMNS);
    const scaled = centred.mul(variance.add(1e-5).sqrt().reciprocal());
    p.store({ y: output("f32", scaled.fma(gain, bias)) });
  },
);

const kernels: readonly Kernel[] = [gelu, geluByTanh, exponential, dropout, softmax, layerNorm];

export const suite: Suite = {
  name: "pointwise",
  summary: "activations, dropout, softmax and layer norm on 4096 × 1024 numbers",
  byDefault: true,
  async run({ threads, quick }) {
    const backend = await createWasmBackend({ threads });
    const inputs: Record<string, BufferSlice> = {
      x: filled(backend, normals(1, ROWS * COLUMNS, 4)),
      gain: filled(backend, normals(2, COLUMNS)),
      bias: filled(backend, normals(3, COLUMNS)),
    };
    const call = {
      inputs,
      outputs: { y: filled(backend, new Float32Array(ROWS * COLUMNS)) },
      uniforms: { key0: 7, key1: 9 },
      sizes: { rows: ROWS, columns: COLUMNS },
    };
    const works = kernels.map((kernel) => {
      const executable = backend.compile(kernel);
      return () => backend.run(executable, call);
    });
    const times = await interleave(works, { samples: quick ? 9 : 41, milliseconds: 10 });
    await backend.close();
    return kernels.map(({ name }, i): Row => {
      const milliseconds = median(times[i]);
      const rate = (8 * ROWS * COLUMNS) / milliseconds / 1e6;
      return {
        name: `${name}, 4 M numbers`,
        value: milliseconds,
        best: Math.min(...times[i]),
        unit: "ms",
        note: `${rate.toFixed(1)} GB/s`,
      };
    });
  },
};
