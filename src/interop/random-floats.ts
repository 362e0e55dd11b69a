/** The random numbers of a rule's own, drawn outside of the array library, which has no bits to shift. */
import { operands, type Value } from "../kernels/program.ts";
import { ArrayProgramError } from "./array-program.ts";

/** Words of random bits by the name of the input that stands for them. */
export type Words = Readonly<Record<string, Uint32Array>>;

/** The nodes below `value` that make floats of integers, each once, in the order of their appearance. */
export function randomFloatsBelow(value: Value): Value[] {
  const found = new Set<Value>();
  const seen = new Set<Value>();
  const visit = (at: Value): void => {
    if (seen.has(at)) return;
    seen.add(at);
    const { node } = at;
    if (node.kind === "unary" && node.op === "toF32" && node.x.type !== "f32") found.add(at);
    else operands(at).forEach(visit);
  };
  visit(value);
  return [...found];
}

/**
 * The numbers of a node of {@link randomFloatsBelow}.
 *
 * @throws ArrayProgramError for what words cannot be joined by.
 */
export function randomFloats({ node, type }: Value, words: Words): Float32Array {
  if (node.kind === "unary" && node.op === "toF32") return Float32Array.from(integers(node.x, words));
  throw new ArrayProgramError(`logrung: ${node.kind} of ${type} is no float made of random bits`);
}

function integers({ node, type }: Value, words: Words): Int32Array | Uint32Array {
  if (node.kind === "input" && Object.hasOwn(words, node.name)) return words[node.name];
  if (node.kind === "shift") {
    const whole = integers(node.x, words);
    return node.op === "shr" ? shiftedRight(whole, node.by) : whole.map((word) => word << node.by);
  }
  if (node.kind === "binary" && Object.hasOwn(JOINED, node.op)) {
    const join = JOINED[node.op];
    const [a, b] = [integers(node.a, words), node.b.node];
    if (b.kind === "constant") return a.map((word) => join(word, b.value));
    const others = integers(node.b, words);
    return a.map((word, i) => join(word, others[i]));
  }
  if (node.kind === "unary" && node.op === "asI32") return Int32Array.from(integers(node.x, words));
  throw new ArrayProgramError(`logrung: ${node.kind} of ${type} does not run on another library's arrays`);
}

/** Modulo 2³², as the arrays that hold the results do. */
const JOINED: Readonly<Record<string, (a: number, b: number) => number>> = {
  add: (a, b) => a + b,
  and: (a, b) => a & b,
  mul: Math.imul,
  xor: (a, b) => a ^ b,
};

const shiftedRight = (words: Int32Array | Uint32Array, by: number): Int32Array | Uint32Array =>
  words instanceof Int32Array ? words.map((word) => word >> by) : words.map((word) => word >>> by);
