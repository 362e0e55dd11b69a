/** gemm in the shapes that training meets: transpositions, epilogues, thin and batched products. */
import { gemm, type GemmKernel, type GemmSizes } from "../../src/kernels/gemm.ts";
import { output, perColumn } from "../../src/kernels/signature.ts";
import { createWasmBackend } from "../../src/kernels/wasm/index.ts";
import type { Row, Suite } from "../suite.ts";
import { interleave, median } from "../timing.ts";
import { kernels, product } from "../work/gemm.ts";

const { f32, coded } = kernels;
const biasGelu = gemm("bias gelu", "f32", "f32", { bias: perColumn("f32") }, {}, (p, s) => {
  const x = p.add(s.bias);
  return { c: output("f32", x.mul(x.mul(Math.SQRT1_2).erf().add(1)).mul(0.5)) };
});

const asItLies = (columns: number) => ({ row: columns, column: 1 });
const transposed = (rows: number) => ({ row: 1, column: rows });
const nn = (m: number, n: number, k: number): GemmSizes => ({
  m, n, k, a: asItLies(k), b: asItLies(n), c: { row: n },
}); // prettier-ignore
const nt = (m: number, n: number, k: number): GemmSizes => ({ ...nn(m, n, k), b: transposed(k) });
const tn = (m: number, n: number, k: number): GemmSizes => ({ ...nn(m, n, k), a: transposed(m) });

/** Scores Q·Kᵀ of 8 sequences and 4 heads: 128 positions, 32 wide, rows of all heads side by side. */
const scores: GemmSizes = {
  outer: 8, inner: 4, m: 128, n: 128, k: 32,
  a: { outer: 128 * 128, inner: 32, row: 128, column: 1 },
  b: { outer: 128 * 128, inner: 32, row: 1, column: 128 },
  c: { outer: 4 * 128 * 128, inner: 128 * 128, row: 128 },
}; // prettier-ignore

const shapes: readonly (readonly [name: string, kernel: GemmKernel, sizes: GemmSizes])[] = [
  ["1024³ A·Bᵀ", f32, nt(1024, 1024, 1024)],
  ["1024³ A·Bᵀ, B coded", coded, nt(1024, 1024, 1024)],
  ["1024³ Aᵀ·B", f32, tn(1024, 1024, 1024)],
  ["128³", f32, nn(128, 128, 128)],
  ["1024×384×384 A·Bᵀ", f32, nt(1024, 384, 384)],
  ["1024×384×384 A·Bᵀ, bias and gelu", biasGelu, nt(1024, 384, 384)],
  ["1024×128×128 A·Bᵀ", f32, nt(1024, 128, 128)],
  ["1024×512×128 A·Bᵀ", f32, nt(1024, 512, 128)],
  ["512×128×1024 Aᵀ·B", f32, tn(512, 128, 1024)],
  ["8×1024×1024 A·Bᵀ", f32, nt(8, 1024, 1024)],
  ["32×1024×1024 A·Bᵀ", f32, nt(32, 1024, 1024)],
  ["attention scores, 32 × 128×128×32", f32, scores],
];

const flopsOf = ({ m, n, k, outer = 1, inner = 1 }: GemmSizes): number => 2 * m * n * k * outer * inner;

export const suite: Suite = {
  name: "gemm-shapes",
  summary: "matrix products in the shapes of training, one thread and all",
  byDefault: false,
  async run({ threads, quick }) {
    const counts = threads > 1 ? [1, threads] : [1];
    const backends = await Promise.all(counts.map((count) => createWasmBackend({ threads: count })));
    const works = shapes.flatMap(([, kernel, sizes]) =>
      backends.map((backend) => product(backend, kernel, sizes).run),
    );
    const times = await interleave(works, { samples: quick ? 5 : 21, milliseconds: quick ? 10 : 25 });
    await Promise.all(backends.map((backend) => backend.close()));
    return times.map((samples, i): Row => {
      const [name, , sizes] = shapes[Math.floor(i / counts.length)];
      const count = counts[i % counts.length];
      const rate = (time: number): number => flopsOf(sizes) / time / 1e6;
      return {
        name: `${name}, ${count} thread${count === 1 ? "" : "s"}`,
        value: rate(median(samples)),
        best: rate(Math.min(...samples)),
        unit: "GFLOP/s",
      };
    });
  },
};
