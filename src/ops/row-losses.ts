/** Losses of rows of logits: what cross entropies take the mean of. */
import type { BufferSlice } from "../kernels/backend.ts";
import type { Value } from "../kernels/program.ts";
import { rows, type RowProgram, type RowsKernel } from "../kernels/rows.ts";
import { element, output, perRow, scalar, type Uniforms } from "../kernels/signature.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { mean } from "./mean.ts";

/** What a kernel's body can read, by name. */
type Values = Readonly<Record<string, Value>>;

/** A cross entropy of one row of logits, in the language of kernels. */
export interface RowLossDescription {
  readonly name: string;
  /** What belongs to a row besides its `logits`: int32, by name. */
  readonly targets: readonly string[];
  readonly uniforms: Uniforms;
  /** Reduces a row to its loss and log Σ exp. */
  readonly reduce: (program: RowProgram<Values>) => { readonly loss: Value; readonly logSum: Value };
  /** q, the probability that a column's class is to have. */
  readonly wanted: (scope: Values) => Value;
}

/** Its kernels. */
export interface RowLossKernels {
  /** `loss` and `logSum` of each row. */
  readonly forward: RowsKernel;
  /** From those and the scalar `dy`: `dx` = (softmax(logits) - q) · dy · share. */
  readonly gradient: RowsKernel;
  /** `loss` of each row, and `dx` = (softmax(logits) - q) · share at once, while the row is in cache. */
  readonly both: RowsKernel;
}

/** Makes the kernels of a description. */
export function rowLossKernels({
  name,
  targets,
  uniforms,
  reduce,
  wanted,
}: RowLossDescription): RowLossKernels {
  const inputs = {
    logits: element("f32"),
    ...Object.fromEntries(targets.map((each) => [each, perRow("i32")])),
  };
  const error = (scope: Values, logSum: Value, share: Value) =>
    output("f32", scope.logits.sub(logSum).exp().sub(wanted(scope)).mul(share));
  return {
    forward: rows(name, inputs, uniforms, (program) => {
      const { loss, logSum } = reduce(program);
      program.perRow.logSum = output("f32", logSum);
      program.perRow.loss = output("f32", loss);
    }),
    gradient: rows(
      `${name} gradient`,
      { ...inputs, logSum: perRow("f32"), dy: scalar("f32") },
      { ...uniforms, share: "f32" },
      (program) => {
        const scope: Values = program.scope;
        program.store({ dx: error(scope, scope.logSum, scope.dy.mul(scope.share)) });
      },
    ),
    both: rows(`${name} with its gradient`, inputs, { ...uniforms, share: "f32" }, (program) => {
      const scope: Values = program.scope;
      const { loss, logSum } = reduce(program);
      program.store({ dx: error(scope, logSum, scope.share) });
      program.perRow.loss = output("f32", loss);
    }),
  };
}

/** The losses of rows of logits against their targets. */
export interface RowLosses {
  readonly kernels: RowLossKernels;
  /** [all rows] int32 each, by the description's names. */
  readonly targets: Readonly<Record<string, Tensor>>;
  readonly uniforms: Readonly<Record<string, number>>;
}

/** Targets from a row on. */
function targetsFrom({ targets }: RowLosses, row: number): Record<string, BufferSlice> {
  return Object.fromEntries(
    Object.entries(targets).map(([name, { storage }]) => [name, storage.slice(4 * row)]),
  );
}

/**
 * Losses of logits that are those of rows `first`, `first` + 1, …
 *
 * @param loss  [all rows]; those of the logits' are written.
 */
export function lossesInto(loss: Tensor, logits: Tensor, losses: RowLosses, first: number): void {
  const { device } = logits;
  const [count, columns] = logits.shape;
  const logSum = device.empty([count]);
  device.run(losses.kernels.forward, {
    inputs: { logits, ...targetsFrom(losses, first) },
    outputs: { loss: loss.storage.slice(4 * first), logSum },
    uniforms: losses.uniforms,
    sizes: { rows: count, columns },
  });
  device.free(logSum);
}

/** The same; a share of their gradients is written over the logits. */
export function lossesAndErrors(
  loss: Tensor,
  logits: Tensor,
  losses: RowLosses,
  { first, share }: { readonly first: number; readonly share: number },
): void {
  const [count, columns] = logits.shape;
  logits.device.run(losses.kernels.both, {
    inputs: { logits, ...targetsFrom(losses, first) },
    outputs: { loss: loss.storage.slice(4 * first), dx: logits },
    uniforms: { ...losses.uniforms, share },
    sizes: { rows: count, columns },
  });
}

/** The mean of the losses of all rows, shape [1]. The gradient is computed from the logits and the rows' log-sums. */
export function meanLoss(logits: Tensor, { kernels, targets, uniforms }: RowLosses): Tensor {
  const { device } = logits;
  const sizes = { rows: logits.shape[0], columns: logits.shape[1] };
  const [loss, logSum] = [device.empty([sizes.rows]), device.empty([sizes.rows])];
  const inputs = { logits, ...targets };
  device.run(kernels.forward, { inputs, outputs: { loss, logSum }, uniforms, sizes });
  const average = mean(loss);
  device.free(loss);
  return device.tape.record([logits], average, [logSum], (dy, _, spent) => {
    const dx = spent(logits) ? { ...logits, tracked: false } : device.empty(logits.shape);
    const share = 1 / sizes.rows;
    device.run(kernels.gradient, {
      inputs: { ...inputs, logSum, dy },
      outputs: { dx },
      uniforms: { ...uniforms, share },
      sizes,
    });
    return [dx];
  });
}
