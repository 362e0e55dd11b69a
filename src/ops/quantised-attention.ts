/** Self-attention whose products read operands in the formats of a precision policy. */
import type { LayerPolicy, TensorPrecision } from "../precision/policy.ts";
import type { Key } from "../random/stream.ts";
import type { Tensor } from "../tensor/tensor.ts";
import {
  joined,
  key as keys,
  query,
  square,
  value,
  type HeadOperand,
  type Heads,
} from "./attention-layout.ts";
import { multiplyHeads } from "./attention-products.ts";
import { dropped } from "./dropout.ts";
import type { FusedAttentionOptions } from "./fused-attention.ts";
import { dependsOnAxis, forKeeping, madeBy, type LayerPrecision } from "./operand.ts";
import { unpacked } from "./pack.ts";
import { packedRounding, type PackedRounding } from "./product.ts";
import { softmaxGradientRows, softmaxRows, softmaxSeenRows } from "./softmax.ts";
import { alongColumns, alongRows } from "./stacked.ts";

/** A tensor for products that sum over the width of its rows, and for those that sum over tokens. */
interface Operands {
  readonly ofWidth: HeadOperand;
  readonly ofTokens: HeadOperand;
}

/** What a call computes with. */
interface Setting {
  readonly h: Heads;
  readonly precision: LayerPrecision;
  readonly drop: FusedAttentionOptions;
  /** Roundings of activations and errors that products do themselves; null where codes are made first. */
  readonly packed: Packed | null;
}

interface Packed {
  readonly activation: PackedRounding | null;
  readonly error: PackedRounding | null;
}

/**
 * As `selfAttention`, each product on operands rounded along its own reduction axis:
 *
 *   S = Q_A(q) Q_A(k)ᵀ,  P = softmax(S / √width),  y = Q_A(M P) Q_A(v)
 *   dV = Q_A(M P)ᵀ Q_E(dy),  dP = M Q_E(dy) Q_A(v)ᵀ,  dS = P (dP - Σ P dP) / √width
 *   dQ = Q_E(dS) Q_A(k),   dK = Q_E(dS)ᵀ Q_A(q)
 *
 * M is the mask of dropout, element by element: that of the fused kernel for the same key. Query, key and value are one
 * tensor of activations and share a scale where that is one a tensor. They are all that is kept, in the activation format;
 * P is computed from them again, exactly, so the softmax is differentiated where it was taken. Blocks that products can
 * round to while they pack are in memory for what is kept alone. With passes `forward-only` query, key and value are kept in
 * float32 and the four backward products read unrounded operands.
 */
export function quantisedAttention(
  qkv: Tensor,
  h: Heads,
  precision: LayerPrecision,
  drop: FusedAttentionOptions = {},
): Tensor {
  const { activation, passes } = precision.policy;
  const { device } = qkv;
  const setting: Setting = { h, precision, drop, packed: packedRoundings(precision.policy) };
  const differentiable = device.tape.recording && qkv.tracked;
  const keeps = passes === "both" && differentiable;
  const operands = operandsOf(qkv, keeps, setting);
  const p = dropping(headProbabilities(operands.ofWidth, h), drop);
  const y = device.empty([h.batch * h.length, h.heads * h.width]);
  const roundedP = alongWidth(p, activation, h.length, setting, () => precision.key("probabilities"));
  const right = { ...operands.ofTokens, layout: value };
  multiplyHeads(h, { ...roundedP, layout: square }, right, { tensor: y, layout: joined }, [h.length, h.width, h.length]);
  free([...madeBy(roundedP.tensor, p), p]);
  if (keeps) {
    const kept = keptOperands(operands, qkv);
    const reads = kept.ofWidth.tensor === qkv ? [qkv] : [];
    const vjp = (dy: Tensor): [Tensor] => [backward(dy, kept, qkv, setting)];
    return device.tape.record([qkv], y, madeOf(kept, qkv), vjp, reads);
  }
  free(madeOf(operands, qkv));
  if (!differentiable) return y;
  return device.tape.record([qkv], y, [], (dy) => [backwardUnrounded(dy, qkv, setting)], [qkv]);
} // prettier-ignore

/** Null unless all that is rounded is rounded to blocks of one length, and can be while it is packed. */
function packedRoundings({ activation, error, passes }: LayerPolicy): Packed | null {
  const both = passes === "both" ? error : null;
  const packed = { activation: packedRounding(activation), error: packedRounding(both) };
  if ((activation && !packed.activation) || (both && !packed.error)) return null;
  const sizes = new Set([packed.activation, packed.error].flatMap((found) => found?.format.block ?? []));
  return sizes.size === 1 ? packed : null;
}

function free(tensors: readonly Tensor[]): void {
  for (const tensor of tensors) tensor.device.free(tensor);
}

/** M p; p itself where nothing is dropped. */
const masked = (p: Tensor, { dropout = 0, key = [0, 0] }: FusedAttentionOptions): Tensor =>
  dropout === 0 ? p : dropped(p, dropout, key);

/** M p in place of p. */
function dropping(p: Tensor, drop: FusedAttentionOptions): Tensor {
  const kept = masked(p, drop);
  if (kept !== p) free([p]);
  return kept;
}

/** Q(x) for products that sum over `width` adjacent columns; `role` tells whose rounding it is. */
function alongWidth(
  x: Tensor,
  precision: TensorPrecision | null,
  width: number,
  { packed }: Pick<Setting, "packed">,
  key: () => Key,
  role: keyof Packed = "activation",
): HeadOperand {
  const blocks = packed?.[role];
  return blocks ? { tensor: x, blocks } : { tensor: alongColumns(x, precision, width, key) };
}

/** Q(x) for products that sum over the tokens of each matrix. */
function alongTokens(
  x: Tensor,
  precision: TensorPrecision | null,
  length: number,
  { packed }: Pick<Setting, "packed">,
  key: () => Key,
  role: keyof Packed = "activation",
): HeadOperand {
  const blocks = packed?.[role];
  return blocks ? { tensor: x, blocks } : alongRows(x, precision, length, key);
}

/** Query, key and value for all products; in codes where they are kept. */
function operandsOf(qkv: Tensor, keeps: boolean, { h, precision, packed }: Setting): Operands {
  const { activation } = precision.policy;
  const how = { packed: keeps ? null : packed };
  const key = (purpose: string) => () => precision.key(purpose);
  const ofWidth = alongWidth(qkv, activation, h.width, how, key("query, key and value"));
  const ofTokens = dependsOnAxis(activation)
    ? alongTokens(qkv, activation, h.length, how, key("query, key and value along tokens"))
    : { ...ofWidth, rows: h.length };
  return { ofWidth, ofTokens };
}

const madeOf = ({ ofWidth, ofTokens }: Operands, source: Tensor): Tensor[] => [
  ...madeBy(ofWidth.tensor, source),
  ...(ofTokens.tensor === ofWidth.tensor ? [] : madeBy(ofTokens.tensor, source)),
];

/** Both operands by a function of tensors, one where they are one. */
function mapped({ ofWidth, ofTokens }: Operands, change: (tensor: Tensor) => Tensor): Operands {
  const tensor = change(ofWidth.tensor);
  const other = ofTokens.tensor === ofWidth.tensor ? tensor : change(ofTokens.tensor);
  return { ofWidth: { ...ofWidth, tensor }, ofTokens: { ...ofTokens, tensor: other } };
}

const keptOperands = (operands: Operands, qkv: Tensor): Operands =>
  mapped(operands, (tensor) => forKeeping(tensor, qkv));

/** P = softmax(q kᵀ / √width), [batch · heads · length, length]. */
export function headProbabilities(qkv: HeadOperand, h: Heads): Tensor {
  const { device } = qkv.tensor;
  const p = device.empty([h.batch * h.heads * h.length, h.length]);
  const right = { ...qkv, layout: keys, transposed: true };
  multiplyHeads(h, { ...qkv, layout: query }, right, { tensor: p, layout: square }, [h.length, h.length, h.width]);
  const scale = h.width ** -0.5;
  if (h.lengths) return softmaxOfLengths(p, h, h.lengths, scale);
  const uniforms = { scale, causal: h.causal ? 1 : 0 };
  device.run(softmaxRows, { inputs: { x: p }, outputs: { y: p }, uniforms, sizes: rowsOf(h) });
  return p;
} // prettier-ignore

/** In place. */
function softmaxOfLengths(p: Tensor, h: Heads, lengths: ArrayLike<number>, scale: number): Tensor {
  const [rows, columns] = p.shape;
  const counts = Int32Array.from({ length: rows }, (_, row) => {
    const tokens = lengths[Math.floor(row / (h.heads * h.length))];
    return h.causal ? Math.min(tokens, 1 + (row % h.length)) : tokens;
  });
  const seen = p.device.tensor(counts, [rows]);
  const inputs = { x: p, seen };
  p.device.run(softmaxSeenRows, { inputs, outputs: { y: p }, uniforms: { scale }, sizes: { rows, columns } });
  p.device.free(seen);
  return p;
}

const rowsOf = ({ batch, heads, length }: Heads) => ({
  outer: batch * heads,
  rows: length,
  columns: length,
});

/** Backward through rounded operands. */
function backward(dy: Tensor, kept: Operands, qkv: Tensor, setting: Setting): Tensor {
  const { h, precision: { policy, key } } = setting;
  const { activation, error } = policy;
  const operands = mapped(kept, unpacked);
  const p = headProbabilities(operands.ofWidth, h);
  const dqkv = qkv.device.empty(qkv.shape);
  const bothWays = (x: Tensor, width: number, purpose: string): Operands => {
    const ofWidth = alongWidth(x, error, width, setting, () => key(purpose), "error");
    const ofTokens = dependsOnAxis(error)
      ? alongTokens(x, error, h.length, setting, () => key(`${purpose} along tokens`), "error")
      : { ...ofWidth, rows: h.length };
    return { ofWidth, ofTokens };
  };
  const reached = masked(p, setting.drop);
  const roundedP = alongTokens(reached, activation, h.length, setting, () => key("probabilities of the backward pass"));
  const e = bothWays(dy, h.width, "error");
  valueGradient(dqkv, roundedP, e.ofTokens, h);
  free([...madeBy(roundedP.tensor, reached), ...(reached === p ? [] : [reached])]);
  const ds = scoreGradient(p, e.ofWidth, operands.ofWidth, setting);
  free([...madeOf(e, dy), p]);
  const s = bothWays(ds, h.length, "error of the scores");
  const made = madeOf(s, ds);
  const rounds = s.ofWidth.tensor !== ds && s.ofTokens.tensor !== ds;
  if (rounds) free([ds]);
  queryAndKeyGradient(dqkv, s, operands.ofTokens, h);
  free([...made, ...(rounds ? [] : [ds]), ...opened(operands, kept)]);
  return dqkv;
} // prettier-ignore

/** What was unpacked; scales stay those of what is kept. */
const opened = (operands: Operands, kept: Operands): Tensor[] => [
  ...(operands.ofWidth.tensor === kept.ofWidth.tensor ? [] : [operands.ofWidth.tensor]),
  ...(operands.ofTokens.tensor === kept.ofTokens.tensor ||
  operands.ofTokens.tensor === operands.ofWidth.tensor
    ? []
    : [operands.ofTokens.tensor]),
];

/** Backward through unrounded operands, at the P of the forward pass. */
function backwardUnrounded(dy: Tensor, qkv: Tensor, setting: Setting): Tensor {
  const { h, precision: { policy, key } } = setting;
  const forward = alongWidth(qkv, policy.activation, h.width, setting, () => key("query, key and value"));
  const p = headProbabilities(forward, h);
  free(madeBy(forward.tensor, qkv));
  const dqkv = qkv.device.empty(qkv.shape);
  const reached = masked(p, setting.drop);
  valueGradient(dqkv, { tensor: reached }, { tensor: dy }, h);
  if (reached !== p) free([reached]);
  const ds = scoreGradient(p, { tensor: dy }, { tensor: qkv }, setting);
  queryAndKeyGradient(dqkv, { ofWidth: { tensor: ds }, ofTokens: { tensor: ds } }, { tensor: qkv }, h);
  free([ds, p]);
  return dqkv;
} // prettier-ignore

/** dV = Pᵀ dY, summed over queries. */
function valueGradient(dqkv: Tensor, p: HeadOperand, dy: HeadOperand, h: Heads): void {
  const left = { ...p, layout: square, transposed: true };
  const to = { tensor: dqkv, layout: value };
  multiplyHeads(h, left, { ...dy, layout: joined }, to, [h.length, h.width, h.length]);
}

/** dS = P (dP - Σ P dP) / √width with dP = M dY Vᵀ, summed over the width of a head. */
function scoreGradient(p: Tensor, dy: HeadOperand, qkv: HeadOperand, { h, drop }: Setting): Tensor {
  const { device } = p;
  const whole = device.empty(p.shape);
  const right = { ...qkv, layout: value, transposed: true };
  const to = { tensor: whole, layout: square };
  multiplyHeads(h, { ...dy, layout: joined }, right, to, [h.length, h.length, h.width]);
  const dp = dropping(whole, drop);
  const uniforms = { scale: h.width ** -0.5 };
  device.run(softmaxGradientRows, { inputs: { y: p, dy: dp }, outputs: { dx: dp }, uniforms, sizes: rowsOf(h) });
  return dp;
} // prettier-ignore

/** dQ = dS K, summed over keys; dK = dSᵀ Q, summed over queries. */
function queryAndKeyGradient(dqkv: Tensor, ds: Operands, qkv: HeadOperand, h: Heads): void {
  const sizes = [h.length, h.width, h.length] as const;
  const [q, k] = [query, keys].map((layout) => ({ tensor: dqkv, layout }));
  multiplyHeads(h, { ...ds.ofWidth, layout: square }, { ...qkv, layout: keys }, q, sizes);
  const left = { ...ds.ofTokens, layout: square, transposed: true };
  multiplyHeads(h, left, { ...qkv, layout: query }, k, sizes);
}
