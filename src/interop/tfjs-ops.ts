/** The operations of rules on TensorFlow.js's tensors. */
import type * as tfjs from "@tensorflow/tfjs";
import type { ReducingOps } from "./array-optimizer.ts";

/** To be called inside of a `tf.tidy`, which disposes of what is between. */
export function tensorOps(tf: typeof tfjs): ReducingOps<tfjs.Tensor> {
  const unary = {
    neg: tf.neg, abs: tf.abs, sqrt: tf.sqrt, floor: tf.floor, ceil: tf.ceil, nearest: tf.round,
    exp: tf.exp, log: tf.log, tanh: tf.tanh, erf: tf.erf, reciprocal: tf.reciprocal,
    exp2: (x: tfjs.Tensor) => tf.exp(tf.mul(x, Math.LN2)),
    log2: (x: tfjs.Tensor) => tf.mul(tf.log(x), Math.LOG2E),
  } as const; // prettier-ignore
  const binary = {
    add: tf.add, sub: tf.sub, mul: tf.mul, div: tf.div,
    and: tf.logicalAnd, or: tf.logicalOr, xor: tf.logicalXor,
  } as const; // prettier-ignore
  const compare = {
    eq: tf.equal, ne: tf.notEqual, lt: tf.less, le: tf.lessEqual, gt: tf.greater, ge: tf.greaterEqual,
  } as const; // prettier-ignore
  return {
    constant: (value) => tf.scalar(value),
    unary: (op, x) => unary[op](x),
    binary: (op, a, b) => binary[op](a, b),
    compare: (op, a, b) => compare[op](a, b),
    not: (mask) => tf.logicalNot(mask),
    select: (mask, yes, no) => tf.where(mask, yes, no),
    reduce: (op, x) => tf[op](x),
  };
}
