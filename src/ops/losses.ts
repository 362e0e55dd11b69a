/** Losses of single elements, averaged: squared error, logistic, hinge. */
import { pointwise, type PointwiseKernel } from "../kernels/pointwise.ts";
import { f32, select, type Value } from "../kernels/program.ts";
import { element, output, scalar } from "../kernels/signature.ts";
import { ShapeError, sizeOf, type Tensor } from "../tensor/tensor.ts";
import { mean } from "./mean.ts";
import { map } from "./pointwise-op.ts";
import { sigmoidValue } from "./sigmoid.ts";
import { softplusValue } from "./softplus.ts";

interface Loss {
  readonly name: string;
  readonly forward: PointwiseKernel;
  readonly gradient: PointwiseKernel;
}

/** A loss of a prediction x against a target t, and its slope in x. */
function loss(
  name: string,
  value: (x: Value, t: Value) => Value,
  slope: (x: Value, t: Value) => Value,
): Loss {
  const inputs = { x: element("f32"), target: element("f32") };
  return {
    name,
    forward: pointwise(name, inputs, {}, ({ x, target }) => ({ y: output("f32", value(x, target)) })),
    gradient: pointwise(
      `${name} gradient`,
      { ...inputs, dy: scalar("f32") },
      { share: "f32" },
      ({ x, target, dy, share }) => ({ y: output("f32", slope(x, target).mul(dy.mul(share))) }),
    ),
  };
}

/** The mean over all elements; targets are constants, no gradient flows to them. */
function averaged({ name, forward, gradient }: Loss, x: Tensor, target: Tensor): Tensor {
  const size = sizeOf(x.shape);
  if (size !== sizeOf(target.shape)) {
    const [given, wanted] = [target.shape.join(", "), x.shape.join(", ")];
    throw new ShapeError(`logrung: ${name}: targets of shape [${given}] for predictions [${wanted}]`);
  }
  const losses = map(forward, x, { x, target });
  const average = mean(losses);
  x.device.free(losses);
  return x.device.tape.record([x], average, [], (dy) => [
    map(gradient, x, { x, target, dy }, { share: 1 / size }),
  ]);
}

const squared = loss(
  "squared error",
  (x, t) => x.sub(t).mul(x.sub(t)),
  (x, t) => x.sub(t).mul(2),
);

/** L = mean (x - t)², shape [1]. */
export const meanSquaredError = (x: Tensor, target: Tensor): Tensor => averaged(squared, x, target);

// -t log σ(x) - (1-t) log(1-σ(x)) = softplus(x) - t x
const logistic = loss(
  "binary cross entropy",
  (x, t) => softplusValue(x).sub(t.mul(x)),
  (x, t) => sigmoidValue(x).sub(t),
);

/**
 *   L = mean ( -t log σ(x) - (1-t) log(1 - σ(x)) ),   shape [1]
 *
 * @param x       logits
 * @param target  probabilities, 0 to 1
 */
export const binaryCrossEntropy = (x: Tensor, target: Tensor): Tensor => averaged(logistic, x, target);

const margin = (x: Value, t: Value): Value => t.mul(x).neg().add(1);
const hinged = loss(
  "hinge loss",
  (x, t) => margin(x, t).max(0),
  (x, t) => select(margin(x, t).gt(0), t.neg(), f32(0)),
);

/**
 *   L = mean max(0, 1 - t x),   shape [1]
 *
 * @param target  1 or -1: a discriminator's real and generated images.
 */
export const hingeLoss = (x: Tensor, target: Tensor): Tensor => averaged(hinged, x, target);
