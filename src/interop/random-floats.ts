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
 * @throws ArrayProgramError for more than words that are shifted.
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
  if (node.kind === "unary" && node.op === "asI32") return Int32Array.from(integers(node.x, words));
  throw new ArrayProgramError(`logrung: ${node.kind} of ${type} does not run on another library's arrays`);
}

const shiftedRight = (words: Int32Array | Uint32Array, by: number): Int32Array | Uint32Array =>
  words instanceof Int32Array ? words.map((word) => word >> by) : words.map((word) => word >>> by);
