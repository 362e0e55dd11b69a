/**
 * The update rules once more, in float64 and one weight at a time, written from the papers' equations and apart from
 * the library. `margin` is how far the step is from a decision (a rounding, a sign) that float32 might take otherwise.
 */

/** One weight and what is kept for it. */
export interface Cell {
  w: number;
  m: number;
  v: number;
  /** What stands in the weight's place, w = p - q. */
  parts?: readonly [p: number, q: number];
}

export interface Setting {
  readonly [option: string]: number | string;
}

export interface StepOf {
  readonly t: number;
  readonly g: number;
  /** σ*, ‖W‖ and ‖G‖ of the tensor. */
  readonly top: number;
  readonly weightNorm: number;
  readonly gradientNorm: number;
  /** The weight that the gradient was taken at, where noise makes it another than the cell's. */
  readonly drawn?: number;
  /** ln of the ratio of neighbouring rungs, where the weight is a code; else null. */
  readonly rung: number | null;
}

/** The cell after the step: `w` as a value, or `rungs` to climb. */
export interface Stepped extends Cell {
  readonly margin: number;
  readonly rungs?: number;
}

type Rule = (cell: Cell, step: StepOf, o: Setting) => Stepped;

const n = (o: Setting, key: string, otherwise: number): number => Number(o[key] ?? otherwise);
const f = Math.fround;

/** Half to even. */
export function halfEven(x: number): number {
  const low = Math.floor(x);
  if (x - low !== 0.5) return Math.round(x);
  return low % 2 === 0 ? low : low + 1;
}

/** How far a number is from the middle between integers. */
export const fromTie = (x: number): number => Math.abs(x - Math.floor(x) - 0.5);
const clamp = (x: number, bound: number): number => Math.max(-bound, Math.min(bound, x));

const sgd: Rule = ({ w, m, v }, { t, g: raw }, o) => {
  const mu = n(o, "momentum", 0.9);
  const g = raw + n(o, "weightDecay", 0) * w;
  const b = t === 1 ? g : mu * m + (1 - n(o, "dampening", 0)) * g;
  const step = mu === 0 ? g : o.nesterov === "on" ? g + mu * b : b;
  return { w: w - f(n(o, "lr", 0.1)) * step, m: b, v, margin: 1 };
};

const adams =
  (coupled: boolean): Rule =>
  ({ w, m: m0, v: v0 }, { t, g: raw }, o) => {
    const [b1, b2, lr] = [n(o, "beta1", 0.9), n(o, "beta2", 0.999), n(o, "lr", 1e-3)];
    const decay = n(o, "weightDecay", coupled ? 0 : 0.01);
    const g = coupled ? raw + decay * w : raw;
    const m = b1 * m0 + (1 - b1) * g;
    const v = b2 * v0 + (1 - b2) * g * g;
    const ratio = m / (1 - b1 ** t) / (Math.sqrt(v / (1 - b2 ** t)) + n(o, "epsilon", 1e-8));
    return { w: w - f(lr) * ratio - (coupled ? 0 : f(lr * decay) * w), m, v, margin: 1 };
  };

const signsgd: Rule = ({ w, m: m0, v }, { g }, o) => {
  const b = n(o, "momentum", 0);
  const m = b * m0 + (1 - b) * g;
  const lr = n(o, "lr", 1e-4);
  const margin = Math.abs(m) / (Math.abs(m0) + Math.abs(g));
  return { w: w - f(lr) * Math.sign(m) - f(lr * n(o, "weightDecay", 0)) * w, m, v, margin };
};

const lion: Rule = ({ w, m: m0, v }, { g }, o) => {
  const [b1, b2, lr] = [n(o, "beta1", 0.9), n(o, "beta2", 0.99), n(o, "lr", 1e-4)];
  const c = b1 * m0 + (1 - b1) * g;
  const margin = Math.abs(c) / (Math.abs(m0) + Math.abs(g));
  const step = f(lr) * Math.sign(c) + f(lr * n(o, "weightDecay", 0)) * w;
  return { w: w - step, m: b2 * m0 + (1 - b2) * g, v, margin };
};

const fromage: Rule = ({ w, m, v }, { g, weightNorm, gradientNorm }, o) => {
  const lr = n(o, "lr", 0.01);
  const ratio = weightNorm > 0 && gradientNorm > 0 ? weightNorm / gradientNorm : 1;
  return { w: (w - f(lr) * ratio * g) * f(1 / Math.sqrt(1 + lr * lr)), m, v, margin: 1 };
};

/** ĝ, and the moments. */
function normalised({ m: m0, v: v0 }: Cell, { t, g }: StepOf, o: Setting, bound: number) {
  const [b1, b2] = [n(o, "momentum", 0), n(o, "beta", 0.999)];
  const m = b1 * m0 + (1 - b1) * g;
  const v = b2 * v0 + (1 - b2) * g * g;
  const correction = o.biasCorrection === "off" ? 1 : 1 - b2 ** t;
  const ratio = m / (1 - b1 ** t) / Math.sqrt(v / correction);
  return { m, v, ghat: Number.isNaN(ratio) ? 0 : clamp(ratio, bound) };
}

const madam: Rule = (cell, step, o) => {
  const lr = n(o, "lr", 0.01);
  const largest = n(o, "largestStep", 0);
  const { m, v, ghat } = normalised(cell, step, o, largest > 0 ? largest / lr : n(o, "bound", 10));
  const octaves = f(-lr * Math.LOG2E) * ghat * Math.sign(cell.w);
  if (step.rung === null) return { w: clamp(cell.w * 2 ** octaves, step.top), m, v, margin: 1 };
  const rungs = (octaves * Math.LN2) / step.rung;
  return { w: cell.w, m, v, margin: fromTie(rungs), rungs: halfEven(rungs) };
};

const lnsMadam: Rule = (cell, step, o) => {
  const { m, v, ghat } = normalised(cell, step, o, n(o, "bound", 10));
  const [lr, decay] = [n(o, "lr", 2 ** -7), n(o, "weightDecay", 0)];
  const base = decay > 0 ? Math.LOG2E : 1;
  const rounds = o.roundGradient === "always" || (o.roundGradient !== "never" && step.rung === null);
  const steps = rounds ? halfEven(ghat) : ghat;
  const octaves = f(-lr * base) * steps * Math.sign(cell.w) + f(-lr * decay * base);
  const margin = rounds ? fromTie(ghat) : 1;
  if (step.rung === null) return { w: clamp(cell.w * 2 ** octaves, step.top), m, v, margin };
  const rungs = (octaves * Math.LN2) / step.rung;
  return { w: cell.w, m, v, margin: Math.min(margin, fromTie(rungs)), rungs: halfEven(rungs) };
};

const integerMadam: Rule = (cell, step, o) => {
  const base = step.rung ?? n(o, "base", 0.001);
  const lr = Math.max(n(o, "lr", 0.01), base * n(o, "leastFactor", 0));
  const largest = n(o, "largestStep", 0);
  const { m, v, ghat } = normalised(cell, step, o, largest > 0 ? largest / lr : n(o, "bound", 10));
  const exact = ghat * (lr / base);
  // The reference code counts k down from the top: k + round(ĝ · factor) · sign.
  const down = halfEven(exact) * Math.sign(cell.w);
  if (step.rung !== null) return { w: cell.w, m, v, margin: fromTie(exact), rungs: -down };
  const lowest = step.top * Math.exp(-base * (n(o, "levels", 4096) - 1));
  const magnitude = Math.min(step.top, Math.max(lowest, Math.abs(cell.w) * Math.exp(-base * down)));
  return { w: Math.sign(cell.w) * magnitude, m, v, margin: fromTie(exact) };
};

const lmd: Rule = ({ w, m: m0, v: v0, parts }, { t, g, top, drawn }, o) => {
  const [b1, b2, direction] = [n(o, "beta1", 0.9), n(o, "beta2", 0.99), o.direction];
  const [lr, strength, deviation] = [n(o, "lr", 0.015), n(o, "strength", 0), n(o, "deviation", 0)];
  const share = f(Math.exp(-(deviation ** 2) / 2));
  const rms = top / n(o, "scale", 16);
  const floor = n(o, "floor", 0.1) * (o.floorUnit === "rms" ? rms : 1);
  const most = n(o, "scale", 16) * (rms + floor);
  const prior = f(floor * share);
  const [p, q] = parts ?? [Math.max(w, 0) * share + prior, Math.max(-w, 0) * share + prior];
  const decay = direction === "normalised" ? b1 : b2;
  const m = decay * m0 + (1 - decay) * g;
  const v = b2 * v0 + (1 - b2) * g * g;
  const mixed = direction === "lion" ? b1 * m0 + (1 - b1) * g : m;
  const smooth = clamp(m / (1 - b1 ** t) / Math.sqrt(v / (1 - b2 ** t)), n(o, "bound", 10));
  const s = direction === "normalised" ? smooth : Math.sign(mixed);
  const seen = drawn ?? (p - q) * Math.exp(deviation ** 2 / 2);
  const pull = (part: number, side: number): number => {
    if (o.regulariser === "kl") return Math.log(part / prior);
    if (o.regulariser === "decay") return 1;
    return o.regulariser === "l2" ? (side * seen * part) / prior ** 2 : 0;
  };
  const moved = (part: number, side: number): number =>
    Math.min(part * Math.exp(-lr * (side * s + strength * pull(part, side))), most);
  const next = [moved(p, 1), moved(q, -1)] as const;
  const margin = direction === "normalised" ? 1 : Math.abs(mixed) / (Math.abs(m0) + Math.abs(g));
  return { w: (next[0] - next[1]) * Math.exp(deviation ** 2 / 2), m, v, margin, parts: next };
};

export const rules: Readonly<Record<string, Rule>> = {
  sgd,
  adam: adams(true),
  adamw: adams(false),
  rung: (cell, step, o) => adams(false)(cell, step, { lr: 3e-3, beta2: 0.99, weightDecay: 0, ...o }),
  signsgd,
  lion,
  fromage,
  madam,
  "lns-madam": lnsMadam,
  "integer-madam": integerMadam,
  lmd,
};

/** Where a rule does not start from the given weights: integer Madam from the nearest rung of its ladder. */
export const starts: Readonly<Record<string, (w: number, top: number, o: Setting) => number>> = {
  "integer-madam": (w, top, o) => {
    const base = n(o, "base", 0.001);
    const k = clamp(Math.round(Math.log(top / Math.abs(w)) / base), n(o, "levels", 4096) - 1);
    return Math.sign(w) * top * Math.exp(-base * Math.max(0, k));
  },
};
