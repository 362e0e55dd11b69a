/** The kernel language run by the whole-array operations of another library. */
import type { BinaryOp, Node, UnaryOp, Value } from "../kernels/program.ts";

/** Operations on whole arrays of type T, as another library has them. Scalars broadcast. */
export interface ArrayOps<T> {
  constant(value: number): T;
  unary(op: FloatUnary, x: T): T;
  /** Arithmetic on floats; logic on masks. */
  binary(op: ArithmeticOp | LogicOp, a: T, b: T): T;
  /** A mask. */
  compare(op: Comparison, a: T, b: T): T;
  not(mask: T): T;
  select(mask: T, yes: T, no: T): T;
}

export type FloatUnary = Extract<
  UnaryOp,
  "neg" | "abs" | "sqrt" | "floor" | "ceil" | "nearest" | "exp2" | "log2" | "exp" | "log" | "tanh" | "erf" | "reciprocal"
>; // prettier-ignore
export type Comparison = Extract<BinaryOp, "eq" | "ne" | "lt" | "le" | "gt" | "ge">;
export type ArithmeticOp = Extract<BinaryOp, "add" | "sub" | "mul" | "div">;
export type LogicOp = Extract<BinaryOp, "and" | "or" | "xor">;

const FLOAT_UNARY: ReadonlySet<string> = new Set<FloatUnary>([
  "neg", "abs", "sqrt", "floor", "ceil", "nearest", "exp2", "log2", "exp", "log", "tanh", "erf", "reciprocal",
]); // prettier-ignore
const COMPARISONS: ReadonlySet<string> = new Set<Comparison>(["eq", "ne", "lt", "le", "gt", "ge"]);

/** Thrown for what whole-array libraries do not have: integers and bits. */
export class ArrayProgramError extends TypeError {
  override name = "ArrayProgramError";
}

/** What names stand for. */
export interface Bindings<T> {
  readonly inputs: Readonly<Record<string, T>>;
  readonly uniforms: Readonly<Record<string, T>>;
  /** Arrays that stand for nodes of their own: floats made of random bits. */
  readonly known?: ReadonlyMap<Value, T>;
}

/**
 * Computes values of the kernel language, each node once.
 *
 * @throws ArrayProgramError for operations on integers, and unbound names.
 */
export class ArrayProgram<T> {
  private readonly ops: ArrayOps<T>;
  private readonly bindings: Bindings<T>;
  private readonly known: Map<Value, T>;

  constructor(ops: ArrayOps<T>, bindings: Bindings<T>) {
    this.ops = ops;
    this.bindings = bindings;
    this.known = new Map(bindings.known);
  }

  evaluate(value: Value): T {
    const found = this.known.get(value);
    if (found !== undefined) return found;
    const computed = this.compute(value);
    this.known.set(value, computed);
    return computed;
  }

  private compute({ node, type }: Value): T {
    const { ops } = this;
    switch (node.kind) {
      case "constant":
        return ops.constant(node.value);
      case "uniform":
        return bound(this.bindings.uniforms, node.name);
      case "input":
        return bound(this.bindings.inputs, node.name);
      case "select":
        return ops.select(this.evaluate(node.condition), this.evaluate(node.yes), this.evaluate(node.no));
      case "fma":
        return ops.binary(
          "add",
          ops.binary("mul", this.evaluate(node.a), this.evaluate(node.b)),
          this.evaluate(node.c),
        );
      case "binary":
        return this.binary(node);
      case "unary":
        return this.unary(node);
      default:
        throw unsupported(`${node.kind} of ${type}`);
    }
  }

  private binary({ op, a, b }: Extract<Node, { kind: "binary" }>): T {
    const { ops } = this;
    if (a.type !== "f32" && a.type !== "bool") throw unsupported(`${op} of ${a.type}`);
    const [x, y] = [this.evaluate(a), this.evaluate(b)];
    if (op === "min") return ops.select(ops.compare("lt", y, x), y, x);
    if (op === "max") return ops.select(ops.compare("lt", x, y), y, x);
    if (COMPARISONS.has(op)) return ops.compare(op as Comparison, x, y);
    return ops.binary(op as ArithmeticOp | LogicOp, x, y);
  }

  private unary({ op, x }: Extract<Node, { kind: "unary" }>): T {
    const { ops } = this;
    if (op === "not" && x.type === "bool") return ops.not(this.evaluate(x));
    if (x.type !== "f32") throw unsupported(`${op} of ${x.type}`);
    if (op === "trunc") return this.truncated(this.evaluate(x));
    if (!FLOAT_UNARY.has(op)) throw unsupported(`${op} of ${x.type}`);
    return ops.unary(op as FloatUnary, this.evaluate(x));
  }

  private truncated(x: T): T {
    const { ops } = this;
    return ops.select(ops.compare("lt", x, ops.constant(0)), ops.unary("ceil", x), ops.unary("floor", x));
  }
}

const unsupported = (what: string): ArrayProgramError =>
  new ArrayProgramError(`logrung: ${what} does not run on another library's arrays`);

function bound<V>(scope: Readonly<Record<string, V>>, name: string): V {
  if (!Object.hasOwn(scope, name)) throw new ArrayProgramError(`logrung: nothing is bound to "${name}"`);
  return scope[name];
}
