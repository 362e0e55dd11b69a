/** Self-attention whose products read operands in the formats of a precision policy. */
import type { TensorPrecision } from "../precision/policy.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { joined, multiply, split, square, third, type Heads } from "./attention-layout.ts";
import { decoded, dependsOnAxis, forKeeping, freeRounded, madeBy, type LayerPrecision } from "./operand.ts";
import { softmaxGradientRows, softmaxRows } from "./softmax.ts";
import { alongColumns, alongRows, type Stacked } from "./stacked.ts";

/** Query, key and value as products read them: summed over the width of a head, and over tokens. */
interface Operands {
  readonly ofWidth: Tensor;
  readonly ofTokens: Stacked;
}

/**
 * As `selfAttention`, each product on operands rounded along its own reduction axis:
 *
 *   S = Q_A(q) Q_A(k)ᵀ,  P = softmax(S / √width),  y = Q_A(P) Q_A(v)
 *   dV = Q_A(P)ᵀ Q_E(dy),  dP = Q_E(dy) Q_A(v)ᵀ,  dS = P (dP - Σ P dP) / √width
 *   dQ = Q_E(dS) Q_A(k),   dK = Q_E(dS)ᵀ Q_A(q)
 *
 * Query, key and value are one tensor of activations and share a scale where that is one a tensor. They are all that is
 * kept, in the activation format; P is computed from them again, exactly, so the softmax is differentiated where it was
 * taken. With passes `forward-only` they are kept in float32 and the four backward products read unrounded operands.
 */
export function quantisedAttention(qkv: Tensor, h: Heads, precision: LayerPrecision): Tensor {
  const { activation, passes } = precision.policy;
  const { device } = qkv;
  const operands = operandsOf(qkv, activation, h, precision);
  const p = probabilities(operands.ofWidth, h);
  const y = device.empty([h.batch * h.length, h.heads * h.width]);
  const roundedP = alongColumns(p, activation, h.length, () => precision.key("probabilities"));
  withValues([roundedP, operands.ofTokens.tensor], ([P, all]) => {
    const value = split(all, h)[2];
    const lies = third(h, false, operands.ofTokens.rows);
    const sizes = [h.length, h.width, h.length] as const;
    multiply(device, h, [P.storage.slice(), square(h)], [value, lies], [y.storage.slice(), joined(h)], sizes);
  });
  freeRounded(roundedP, p);
  device.free(p);
  if (passes === "both") {
    const kept = keptOperands(operands, qkv);
    const reads = kept.ofWidth === qkv ? [qkv] : [];
    const vjp = (dy: Tensor): [Tensor] => [backward(dy, kept, qkv, h, precision)];
    return device.tape.record([qkv], y, madeOf(kept, qkv), vjp, reads);
  }
  for (const tensor of madeOf(operands, qkv)) device.free(tensor);
  return device.tape.record([qkv], y, [], (dy) => [backwardUnrounded(dy, qkv, h, precision)], [qkv]);
}

function operandsOf(
  qkv: Tensor,
  activation: TensorPrecision | null,
  h: Heads,
  { key }: LayerPrecision,
): Operands {
  const ofWidth = alongColumns(qkv, activation, h.width, () => key("query, key and value"));
  const ofTokens = dependsOnAxis(activation)
    ? alongRows(qkv, activation, h.length, () => key("query, key and value along tokens"))
    : { tensor: ofWidth, rows: h.length };
  return { ofWidth, ofTokens };
}

const madeOf = ({ ofWidth, ofTokens }: Operands, qkv: Tensor): Tensor[] => [
  ...madeBy(ofWidth, qkv),
  ...madeBy(ofTokens.tensor, ofWidth),
];

function keptOperands({ ofWidth, ofTokens }: Operands, qkv: Tensor): Operands {
  const kept = forKeeping(ofWidth, qkv);
  if (ofTokens.tensor === ofWidth) return { ofWidth: kept, ofTokens: { ...ofTokens, tensor: kept } };
  return { ofWidth: kept, ofTokens: { ...ofTokens, tensor: forKeeping(ofTokens.tensor, qkv) } };
}

/** Calls `body` with the float32 values of tensors, which are gone after it. */
function withValues(tensors: readonly Tensor[], body: (values: readonly Tensor[]) => void): void {
  const all = tensors.map(decoded);
  body(all.map(({ values }) => values));
  for (const { free } of all) free();
}

/** P = softmax(q kᵀ / √width), [batch · heads · length, length]. */
function probabilities(qkv: Tensor, h: Heads): Tensor {
  const { device } = qkv;
  const p = device.empty([h.batch * h.heads * h.length, h.length]);
  withValues([qkv], ([all]) => {
    const [q, k] = split(all, h);
    const sizes = [h.length, h.length, h.width] as const;
    multiply(device, h, [q, third(h)], [k, third(h, true)], [p.storage.slice(), square(h)], sizes);
  });
  const uniforms = { scale: h.width ** -0.5, causal: h.causal ? 1 : 0 };
  device.run(softmaxRows, { inputs: { x: p }, outputs: { y: p }, uniforms, sizes: rowsOf(h) });
  return p;
}

const rowsOf = ({ batch, heads, length }: Heads) => ({
  outer: batch * heads,
  rows: length,
  columns: length,
});

/** Backward through rounded operands. */
function backward(
  dy: Tensor,
  operands: Operands,
  qkv: Tensor,
  h: Heads,
  { policy, key }: LayerPrecision,
): Tensor {
  const { activation, error } = policy;
  const p = probabilities(operands.ofWidth, h);
  const dqkv = qkv.device.empty(qkv.shape);
  const bothWays = (x: Tensor, width: number, rows: number, purpose: string): Operands => {
    const ofWidth = alongColumns(x, error, width, () => key(purpose));
    const ofTokens = dependsOnAxis(error)
      ? alongRows(x, error, rows, () => key(`${purpose} along tokens`))
      : { tensor: ofWidth, rows };
    return { ofWidth, ofTokens };
  };
  const roundedP = alongRows(p, activation, h.length, () => key("probabilities of the backward pass"));
  const e = bothWays(dy, h.width, h.length, "error");
  valueGradient(dqkv, roundedP, e.ofTokens, h);
  freeRounded(roundedP.tensor, p);
  const ds = scoreGradient(p, e.ofWidth, operands.ofWidth, h);
  for (const tensor of madeOf(e, dy)) tensor.device.free(tensor);
  const s = bothWays(ds, h.length, h.length, "error of the scores");
  queryAndKeyGradient(dqkv, s, operands.ofTokens, h);
  for (const tensor of [...madeOf(s, ds), ds, p]) tensor.device.free(tensor);
  return dqkv;
}

/** Backward through unrounded operands, at the P of the forward pass. */
function backwardUnrounded(dy: Tensor, qkv: Tensor, h: Heads, { policy, key }: LayerPrecision): Tensor {
  const forward = alongColumns(qkv, policy.activation, h.width, () => key("query, key and value"));
  const p = probabilities(forward, h);
  freeRounded(forward, qkv);
  const dqkv = qkv.device.empty(qkv.shape);
  const whole = (tensor: Tensor): Stacked => ({ tensor, rows: h.length });
  valueGradient(dqkv, whole(p), whole(dy), h);
  const ds = scoreGradient(p, dy, qkv, h);
  queryAndKeyGradient(dqkv, { ofWidth: ds, ofTokens: whole(ds) }, whole(qkv), h);
  for (const tensor of [ds, p]) tensor.device.free(tensor);
  return dqkv;
}

/** dV = Pᵀ dY, summed over queries. */
function valueGradient(dqkv: Tensor, p: Stacked, dy: Stacked, h: Heads): void {
  const { device } = dqkv;
  withValues([p.tensor, dy.tensor], ([P, dY]) => {
    const left = [P.storage.slice(), square(h, true, p.rows)] as const;
    const right = [dY.storage.slice(), joined(h, false, dy.rows)] as const;
    multiply(device, h, left, right, [split(dqkv, h)[2], third(h)], [h.length, h.width, h.length]);
  });
}

/** dS = P (dP - Σ P dP) / √width with dP = dY Vᵀ, summed over the width of a head. */
function scoreGradient(p: Tensor, dy: Tensor, qkv: Tensor, h: Heads): Tensor {
  const { device } = p;
  const dp = device.empty(p.shape);
  withValues([dy, qkv], ([dY, all]) => {
    const right = [split(all, h)[2], third(h, true)] as const;
    const sizes = [h.length, h.length, h.width] as const;
    multiply(device, h, [dY.storage.slice(), joined(h)], right, [dp.storage.slice(), square(h)], sizes);
  });
  const uniforms = { scale: h.width ** -0.5 };
  const inputs = { y: p, dy: dp };
  device.run(softmaxGradientRows, { inputs, outputs: { dx: dp }, uniforms, sizes: rowsOf(h) });
  return dp;
}

/** dQ = dS K, summed over keys; dK = dSᵀ Q, summed over queries. */
function queryAndKeyGradient(dqkv: Tensor, ds: Operands, qkv: Stacked, h: Heads): void {
  const { device } = dqkv;
  const sizes = [h.length, h.width, h.length] as const;
  const [dq, dk] = split(dqkv, h);
  const lies = third(h, false, qkv.rows);
  withValues([ds.ofWidth, qkv.tensor], ([dS, all]) => {
    multiply(device, h, [dS.storage.slice(), square(h)], [split(all, h)[1], lies], [dq, third(h)], sizes);
  });
  withValues([ds.ofTokens.tensor, qkv.tensor], ([dS, all]) => {
    const left = [dS.storage.slice(), square(h, true, ds.ofTokens.rows)] as const;
    multiply(device, h, left, [split(all, h)[0], lies], [dk, third(h)], sizes);
  });
}
