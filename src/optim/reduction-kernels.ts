/** Numbers of whole tensors: two passes of `rows`, and the next value of every number that is kept. */
import type { Value } from "../kernels/program.ts";
import { rows, type ReduceOp, type RowsKernel } from "../kernels/rows.ts";
import { element, output, scalar } from "../kernels/signature.ts";
import { isScaled, ladderHeld, largestOf, magnitudeOf } from "./held.ts";
import type { TensorNumber } from "./optimizer.ts";
import {
  beforeOf,
  elementInputs,
  gradientOf,
  reducedName,
  uniformTypes,
  weightValue,
  type Rule,
} from "./rule.ts";

/** The kernels, and the names of what they write. */
export interface ReductionKernels {
  /** Per row of the tensor: every reduction, as output `reduced.<name>`. */
  readonly partial: RowsKernel;
  /** Of those rows, one row each: `reduced.<name>`, and for every kept number `<number>.before` and `<number>`. */
  readonly total: RowsKernel;
  readonly reductions: readonly string[];
  readonly numbers: readonly string[];
}

interface Reduced {
  readonly op: ReduceOp;
  readonly value: Value;
  /** Whether it is a rung: the magnitude of a code. */
  readonly onRungs?: boolean;
}

/** null where the rule needs no number of whole tensors. */
export function reductionKernels(rule: Rule): ReductionKernels | null {
  const numbers = rule.fields.filter((f) => f.field.role === "number");
  const names = reductionNames(rule);
  if (names.length === 0 && numbers.length === 0) return null;
  const uniforms = uniformTypes(rule);
  const ops: Record<string, ReduceOp> = {};
  const rungs = new Set<string>();
  const partial = rows(`${rule.optimizer.name} reductions`, elementInputs(rule), uniforms, (program) => {
    const all = reductionsOf(rule, program.scope as Readonly<Record<string, Value>>);
    for (const [name, { op, onRungs }] of Object.entries(all)) {
      ops[name] = op;
      if (onRungs) rungs.add(name);
    }
    const found = program.reduceAll(all);
    for (const name of names) program.perRow[name] = output("f32", found[name]);
  });
  const inputs = {
    ...Object.fromEntries(names.map((name) => [name, element("f32")])),
    ...Object.fromEntries(numbers.map(({ name }) => [name, scalar("f32")])),
  };
  const total = rows(`${rule.optimizer.name} totals`, inputs, uniforms, (program) => {
    const scope = program.scope as Readonly<Record<string, Value>>;
    const found = program.reduceAll(
      Object.fromEntries(names.map((name) => [totalName(name), { op: ops[name], value: scope[name] }])),
    );
    const uniform = (name: string): Value => scope[name];
    const totalOf = (name: string): Value => {
      const end = found[totalName(name)];
      return rungs.has(name) ? weightValue(rule.precision.weight, end.toU32(), scope.scale) : end;
    };
    const reduced = (name: string): Value => totalOf(reducedName(name));
    for (const name of names) program.perRow[totalName(name)] = output("f32", totalOf(name));
    for (const { name, field } of numbers) {
      const stored = scope[name];
      const share = name === "scale" ? largestValue(rule) : 1; // codes are multiples of σ* over their largest
      const before = share === 1 ? stored : stored.mul(share);
      const next = (field as TensorNumber).next({ before, reduced, uniform });
      program.perRow[beforeOf(name)] = output("f32", stored);
      program.perRow[name] = output("f32", share === 1 ? next : next.mul(1 / share));
    }
  });
  return { partial, total, reductions: names, numbers: numbers.map(({ name }) => name) };
}

const largestValue = ({ precision: { weight } }: Rule): number => (isScaled(weight) ? largestOf(weight) : 1);

/** What the total of a reduction is called, beside the numbers of its rows. */
export const totalName = (name: string): string => `total.${name}`;

function reductionNames(rule: Rule): string[] {
  const own = Object.keys(rule.optimizer.reductions?.(rule.options) ?? {});
  return [...own, ...runningMoments(rule).map((name) => `${name}.largest`)].map(reducedName);
}

/** First moments whose top follows the largest gradient. */
const runningMoments = ({ fields }: Rule): string[] =>
  fields.flatMap(({ name, unit }) => (typeof unit === "object" && unit.kind === "running" ? [name] : []));

function reductionsOf(rule: Rule, scope: Readonly<Record<string, Value>>): Record<string, Reduced> {
  const held = rule.optimizer.materialise ? null : rule.precision.weight;
  const w = weightValue(held, scope.w, scope.scale);
  const g = gradientOf(rule, scope, w);
  const uniform = (name: string): Value => scope[name];
  const own = Object.entries(rule.optimizer.reductions?.(rule.options) ?? {}).map(
    ([name, { op, value }]) =>
      [reducedName(name), reductionOf(rule, scope, op, value({ w, g, uniform }), w)] as const,
  );
  const largest = runningMoments(rule).map(
    (name) => [reducedName(`${name}.largest`), { op: "max" as const, value: g.abs() }] as const,
  );
  return Object.fromEntries([...own, ...largest]);
}

/** The largest |w| of codes on a ladder that is a number of the tensor: the largest rung, decoded at the end. */
function reductionOf(
  { precision: { weight }, fields }: Rule,
  scope: Readonly<Record<string, Value>>,
  op: ReduceOp,
  value: Value,
  w: Value,
): Reduced {
  const { node } = value;
  const largest = op === "max" && node.kind === "unary" && node.op === "abs" && node.x === w;
  const ladder = ladderHeld(weight);
  const scaled = fields.some(({ name, field }) => name === "scale" && field.role === "number");
  if (!largest || !ladder || !scaled) return { op, value };
  return { op, value: magnitudeOf(ladder, scope.w).toF32(), onRungs: true };
}
