/** Element and column numbers of the lanes of a loop. */
import type { IndexAxis, Value } from "../program.ts";
import type { Local } from "./assembler.ts";
import { isCounted } from "./expression.ts";
import { pushVector, type Frame } from "./frame.ts";
import type { Position } from "./streams.ts";

type Axis = Exclude<IndexAxis, "row">;

const constantOf = ({ node }: Value): number => (node.kind === "constant" ? node.value | 0 : 0);

/** A number, or a multiple of one, that is counted along with a loop. */
interface Counter {
  readonly axis: Axis;
  readonly times: number;
  readonly count: Local;
  /** 0 to 3 times `times`, 4 to 7 times, and so on. */
  readonly offsets: Local[];
}

/** Counts along with a loop, for those numbers that its values read. */
export class IndexLanes {
  private readonly frame: Frame;
  private readonly position: Position;
  private readonly counters = new Map<string, Counter>();

  constructor(frame: Frame, values: Iterable<Value>, position: Position) {
    this.frame = frame;
    this.position = position;
    for (const value of values) {
      const read = readOf(value);
      if (read) this.counters.set(read.key, { ...read, count: frame.code.local("i32"), offsets: [] });
    }
  }

  /** Sets the counters to the position, for turns of up to `width` vectors. */
  start(width: number): void {
    const { code } = this.frame;
    for (const { axis, times, count, offsets } of this.counters.values()) {
      for (let u = 0; u < width; u++) {
        const [a, b, c, d] = [0, 1, 2, 3].map((lane) => Math.imul(4 * u + lane, times));
        const offset = code.local("v128");
        pushVector(this.frame, [a, b, c, d]).set(offset);
        offsets.push(offset);
      }
      const from = this.position[axis];
      if (!from) throw new RangeError(`logrung: this kernel shape has no ${axis} number here`);
      code.get(from);
      if (times !== 1) code.i32(times).op("i32.mul");
      code.set(count);
    }
  }

  /** Pushes the numbers of vector `u`: the counter in all lanes plus a constant, which V8 can widen to 256 bits. */
  push(value: Value, u: number): void {
    const counter = this.counters.get(readOf(value)?.key ?? "");
    if (!counter) throw new RangeError("logrung: a number is not counted here");
    const { count, offsets } = counter;
    this.frame.code.get(count).op("i32x4.splat").get(offsets[u]).op("i32x4.add");
  }

  /** Moves on by a number of elements. */
  advance(elements: number): void {
    for (const { count, times } of this.counters.values())
      this.frame.code.get(count).i32(Math.imul(elements, times)).op("i32.add").set(count);
  }
}

/** What a value counts; null for values that count nothing. */
function readOf(value: Value): { readonly key: string; readonly axis: Axis; readonly times: number } | null {
  const { node } = value;
  const [number, times] =
    isCounted(value) && node.kind === "binary" ? [node.a.node, constantOf(node.b)] : [node, 1];
  if (number.kind !== "index" || number.axis === "row") return null;
  return { key: `${number.axis} ${times}`, axis: number.axis, times };
}
