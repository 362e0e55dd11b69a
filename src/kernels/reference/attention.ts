/** The `attention` shape: each row's scores, probabilities and gradients by plain loops. */
import { randomBits } from "../../random/random-bits.ts";
import {
  attentionRows,
  type AttentionKernel,
  type AttentionMatrix,
  type AttentionSizes,
} from "../attention.ts";
import type { Call } from "../backend.ts";
import { outputSlice } from "../validate.ts";
import { rounding, type Precision } from "./arithmetic.ts";
import { viewOf, type Runner } from "./binding.ts";
import type { View } from "./memory.ts";

/** One sequence and head of a call. */
interface Batch {
  readonly kernel: AttentionKernel;
  readonly call: Call;
  readonly sizes: AttentionSizes;
  readonly outer: number;
  readonly inner: number;
  readonly round: (x: number) => number;
}

/** A matrix, read and written by row and column. */
interface Matrix {
  get(row: number, column: number): number;
  set(row: number, column: number, value: number): void;
}

/** Row by row; a row's probabilities are the only working memory. */
export function prepareAttention(kernel: AttentionKernel, precision: Precision): Runner {
  return (call) => {
    const sizes = call.sizes as AttentionSizes;
    for (let outer = 0; outer < (sizes.outer ?? 1); outer++)
      for (let inner = 0; inner < (sizes.inner ?? 1); inner++) {
        const batch = { kernel, call, sizes, outer, inner, round: rounding(precision) };
        if (kernel.pass === "forward") forward(batch);
        else backward(batch);
      }
  };
}

function forward(batch: Batch): void {
  const { sizes, round, call } = batch;
  const [v, y] = [matrix(batch, "v"), matrix(batch, "y")];
  const lse = viewOf(outputSlice(call, "lse"), "f32");
  const score = scores(batch);
  for (let row = 0; row < sizes.queries; row++) {
    const s = score(row);
    const top = s.reduce((a, b) => Math.max(a, b), -Infinity);
    const e = s.map((x) => round(Math.exp(round(x - top))));
    const sum = e.reduce((a, b) => round(a + b), 0);
    lse.store(firstRow(batch) + row, round(top + round(Math.log(sum))));
    for (let d = 0; d < sizes.width; d++) {
      let total = 0;
      e.forEach((p, c) => (total = round(total + round(round(p * kept(batch, row, c)) * v.get(c, d)))));
      y.set(row, d, round(total / sum));
    }
  }
}

function backward(batch: Batch): void {
  const { sizes, round, call } = batch;
  const of = (name: AttentionMatrix) => matrix(batch, name);
  const [q, k, v, y, dy, dq, dk, dv] = [of("q"), of("k"), of("v"), of("y"), of("dy"), of("dq"), of("dk"), of("dv")];
  const lse = viewOf(call.inputs.lse, "f32");
  const score = scores(batch);
  const scale = Math.fround(call.uniforms?.scale ?? NaN);
  const add = (to: Matrix, row: number, d: number, x: number) => to.set(row, d, round(to.get(row, d) + round(x)));
  for (const [to, rows] of [[dq, sizes.queries], [dk, sizes.keys], [dv, sizes.keys]] as const)
    for (let row = 0; row < rows; row++) for (let d = 0; d < sizes.width; d++) to.set(row, d, 0);
  for (let row = 0; row < sizes.queries; row++) {
    const delta = dot(batch, dy, row, y, row);
    score(row).forEach((s, c) => {
      const p = round(Math.exp(round(s - lse.load(firstRow(batch) + row))));
      const keep = kept(batch, row, c);
      const dp = round(keep * dot(batch, dy, row, v, c));
      const ds = round(round(p * round(dp - delta)) * scale);
      for (let d = 0; d < sizes.width; d++) {
        add(dv, c, d, round(p * keep) * dy.get(row, d));
        add(dq, row, d, ds * k.get(c, d));
        add(dk, c, d, ds * q.get(row, d));
      }
    });
  }
} // prettier-ignore

/** The scores of a row, of the keys it sees. */
function scores(batch: Batch): (row: number) => number[] {
  const { sizes, round, call } = batch;
  const [q, k] = [matrix(batch, "q"), matrix(batch, "k")];
  const scale = Math.fround(call.uniforms?.scale ?? NaN);
  return (row) => {
    const seen = sizes.causal ? row + sizes.keys - sizes.queries + 1 : sizes.keys;
    return Array.from({ length: seen }, (_, c) => round(scale * dot(batch, q, row, k, c)));
  };
}

function dot({ sizes, round }: Batch, a: Matrix, aRow: number, b: Matrix, bRow: number): number {
  let sum = 0;
  for (let d = 0; d < sizes.width; d++) sum = round(sum + round(a.get(aRow, d) * b.get(bRow, d)));
  return sum;
}

/** Rows of batches before this one. */
const firstRow = ({ sizes, outer, inner }: Batch): number =>
  (outer * (sizes.inner ?? 1) + inner) * sizes.queries;

/** What a probability is multiplied by. */
function kept(batch: Batch, row: number, column: number): number {
  const { kernel, call, sizes } = batch;
  if (!kernel.dropout) return 1;
  const { key0 = NaN, key1 = NaN, threshold = NaN, gain = NaN } = call.uniforms ?? {};
  const element = (firstRow(batch) + row) * sizes.keys + column;
  return randomBits(element % 2 ** 32, key0, key1) >= threshold ? Math.fround(gain) : 0;
}

function matrix(batch: Batch, name: AttentionMatrix): Matrix {
  const { kernel, call, sizes, outer, inner, round } = batch;
  const { strides } = sizes;
  const lies = strides[name] ?? { row: 0 };
  const start = outer * (lies.outer ?? 0) + inner * (lies.inner ?? 0);
  const place = (row: number, column: number): number => {
    if (row >= attentionRows(name, sizes)) throw new RangeError(`logrung: row ${row} of ${name} does not exist`);
    return start + row * lies.row + column;
  };
  const coded = kernel.operands === "coded" && (name === "q" || name === "k" || name === "v");
  const view: View = viewOf(outputSlice(call, name), coded ? "u8" : "f32");
  const set = (row: number, column: number, value: number) => view.store(place(row, column), value);
  if (!coded) return { get: (row, column) => view.load(place(row, column)), set };
  const table = viewOf(call.inputs.table, "f32");
  const scale = viewOf(call.inputs[`${name}Scale`], "f32").load(0);
  return { get: (row, column) => round(table.load(view.load(place(row, column))) * scale), set };
} // prettier-ignore
