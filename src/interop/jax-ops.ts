/** The operations of rules on jax-js's arrays. */
import type * as jaxjs from "@jax-js/jax";
import type { ReducingOps } from "./array-optimizer.ts";
import type { ArithmeticOp, Comparison, FloatUnary, LogicOp } from "./array-program.ts";

type Jax = typeof jaxjs;
type Arr = jaxjs.numpy.Array;

/**
 * The operations on arrays that are borrowed, not consumed: each argument is taken by reference, and what is made is
 * remembered, to be disposed of when a step is over.
 */
export class Borrowing implements ReducingOps<Arr> {
  private readonly jax: Jax;
  private readonly made: Arr[] = [];

  constructor(jax: Jax) {
    this.jax = jax;
  }

  private keep(x: Arr): Arr {
    this.made.push(x);
    return x;
  }

  constant(value: number): Arr {
    return this.keep(this.jax.numpy.array(value));
  }

  unary(op: FloatUnary, x: Arr): Arr {
    const { numpy: np, scipySpecial } = this.jax;
    const unary = {
      neg: np.negative, abs: np.abs, sqrt: np.sqrt, floor: np.floor, ceil: np.ceil, nearest: np.rint,
      exp: np.exp, log: np.log, exp2: np.exp2, log2: np.log2, tanh: np.tanh, reciprocal: np.reciprocal,
      erf: scipySpecial.erf,
    } as const; // prettier-ignore
    return this.keep(unary[op](x.ref));
  }

  binary(op: ArithmeticOp | LogicOp, a: Arr, b: Arr): Arr {
    const { numpy: np } = this.jax;
    const binary = {
      add: np.add, sub: np.subtract, mul: np.multiply, div: np.divide,
      and: np.logicalAnd, or: np.logicalOr, xor: np.logicalXor,
    } as const; // prettier-ignore
    return this.keep(binary[op](a.ref, b.ref));
  }

  compare(op: Comparison, a: Arr, b: Arr): Arr {
    const { numpy: np } = this.jax;
    const compare = {
      eq: np.equal, ne: np.notEqual, lt: np.less, le: np.lessEqual, gt: np.greater, ge: np.greaterEqual,
    } as const; // prettier-ignore
    return this.keep(compare[op](a.ref, b.ref));
  }

  not(mask: Arr): Arr {
    return this.keep(this.jax.numpy.logicalNot(mask.ref));
  }

  select(mask: Arr, yes: Arr, no: Arr): Arr {
    return this.keep(this.jax.numpy.where(mask.ref, yes.ref, no.ref));
  }

  reduce(op: "sum" | "max" | "min", x: Arr): Arr {
    return this.keep(x.ref[op]());
  }

  /** Disposes of everything made. */
  release(): void {
    for (const x of this.made.splice(0)) x.dispose();
  }
}
