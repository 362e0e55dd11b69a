/** How elements lie along an axis of a row-major array. */
import { QuantizeError } from "./quantize-error.ts";

/** Elements offset, offset + stride, …, `length` of them. */
export interface Segment {
  readonly offset: number;
  readonly stride: number;
  readonly length: number;
}

/** Elements at once where the whole tensor shares a scale. */
const pieceLength = 65_536;

/** A tensor in pieces, in order. */
export function* pieces(elements: number): Generator<Segment> {
  for (let offset = 0; offset < elements; offset += pieceLength) {
    yield { offset, stride: 1, length: Math.min(pieceLength, elements - offset) };
  }
}

/** Every line along an axis: of a matrix [r, c], r lines of c for axis 1, c lines of r for axis 0. */
export function* lines(shape: readonly number[], axis: number): Generator<Segment> {
  const sizes = shape.length === 0 ? [1] : shape;
  const product = (part: readonly number[]): number => part.reduce((total, size) => total * size, 1);
  const [outer, stride] = [product(sizes.slice(0, axis)), product(sizes.slice(axis + 1))];
  const length = sizes[axis];
  for (let index = 0; index < outer; index++) {
    for (let inner = 0; inner < stride; inner++)
      yield { offset: index * length * stride + inner, stride, length };
  }
}

export interface Block extends Segment {
  /** Where `offset` would be if every line were filled up to whole blocks, as blocked tensors are in training. */
  readonly filledOffset: number;
}

/** Every line cut into blocks; the last of a line may be shorter. */
export function* blocks(shape: readonly number[], axis: number, size: number): Generator<Block> {
  for (const { offset, stride, length } of lines(shape, axis)) {
    const filling = Math.ceil(length / size) * size - length;
    const filled = offset + Math.floor(offset / (length * stride)) * filling * stride;
    for (let from = 0; from < length; from += size) {
      const shift = from * stride;
      yield {
        offset: offset + shift,
        filledOffset: filled + shift,
        stride,
        length: Math.min(size, length - from),
      };
    }
  }
}

/**
 * The axis counted from the first. A single number is a line of one.
 *
 * @throws QuantizeError when the tensor has no such axis.
 */
export function axisOf(name: string, shape: readonly number[], axis: number): number {
  const rank = Math.max(1, shape.length);
  const found = axis < 0 ? axis + rank : axis;
  if (found >= 0 && found < rank) return found;
  const wanted = `--axis from ${-rank} to ${rank - 1}`;
  throw new QuantizeError(`"${name}" [${shape.join(", ")}] has no axis ${axis}: wants ${wanted}`);
}
