/** Reverse-mode differentiation: operations push their vector-Jacobian products, `backward` walks them once. */
import { element, output } from "../kernels/signature.ts";
import { pointwise } from "../kernels/pointwise.ts";
import type { Storage } from "./storage.ts";
import { ShapeError, sizeOf, type Tensor } from "./tensor.ts";

/**
 * The vector-Jacobian product of one operation: from dL/d(output) the dL/d(inputs), in order; null for an input that
 * has none. It may return `dy` itself (an addition does), and where `owned`, so that nothing else reads it, write over it; so
 * it may over an input or output that is `spent`, which the backward pass is about to free, and return that as a gradient.
 */
export type Vjp = (
  dy: Tensor,
  owned: boolean,
  spent: (tensor: Tensor) => boolean,
) => readonly (Tensor | null)[];

interface TapeNode {
  readonly inputs: readonly Tensor[];
  readonly output: Tensor;
  readonly saved: readonly Tensor[];
  readonly reads: ReadonlySet<Storage>;
  readonly vjp: Vjp;
}

/** The operations of one step, in the order they ran. */
export class Tape {
  private readonly nodes: TapeNode[] = [];
  private readonly held = new Set<Storage>();
  private paused = 0;
  private replays = 0;
  private rehearsals = 0;
  private given: Storage | null = null;
  private ones: Storage | null = null;

  get recording(): boolean {
    return this.paused === 0;
  }

  /** Whether operations run a second time, for the backward pass: what they do besides computing was done before. */
  get replaying(): boolean {
    return this.replays > 0;
  }

  /** Whether operations run that {@link replay} will run again. */
  get willReplay(): boolean {
    return this.rehearsals > 0;
  }

  /**
   * Records an operation and returns its output, tracked when gradients can flow to an input.
   *
   * @param saved  tensors made by the operation that only its vjp reads; `backward` frees them after it.
   * @param reads  which of its inputs and output the vjp reads, so that {@link discard} can give the others back.
   *   Default all of them.
   */
  record(
    inputs: readonly Tensor[],
    out: Tensor,
    saved: readonly Tensor[],
    vjp: Vjp,
    reads: readonly Tensor[] = [...inputs, out],
  ): Tensor {
    if (!this.recording || !inputs.some((x) => x.tracked)) {
      for (const tensor of saved) tensor.device.free(tensor);
      return out;
    }
    const tracked = { ...out, tracked: true };
    const storages = new Set(reads.map(({ storage }) => storage));
    this.nodes.push({ inputs, output: tracked, saved, reads: storages, vjp });
    return tracked;
  }

  /**
   * Gives back the memory of results that the forward pass has no further use for, unless a recorded vjp reads it:
   * then `backward` frees it as ever. Models call it after the last operation on a result.
   */
  discard(...tensors: readonly Tensor[]): void {
    for (const { device, storage } of tensors) {
      if (this.isRead(storage)) continue;
      device.release(storage);
    }
  }

  /** Runs `body` without recording: evaluation. */
  async without<T>(body: () => T | Promise<T>): Promise<T> {
    this.paused++;
    try {
      return await body();
    } finally {
      this.paused--;
    }
  }

  /** Runs operations that are the last to read a result, so that they may write over it: see {@link isGiven}. */
  giving<T>({ storage }: Tensor, body: () => T): T {
    const before = this.given;
    this.given = storage;
    try {
      return body();
    } finally {
      this.given = before;
    }
  }

  /** Whether an operation may write its result over this input, unless its own vjp is to read it. */
  isGiven({ storage }: Tensor): boolean {
    return this.given === storage && !this.isRead(storage);
  }

  /** Runs a backward pass that starts from a gradient of 1, which nobody writes over. */
  startingFrom<T>({ storage }: Tensor, body: () => T): T {
    this.ones = storage;
    try {
      return body();
    } finally {
      this.ones = null;
    }
  }

  /** Whether a gradient is the 1 that the backward pass started from: then what is to be multiplied by it may stay as it is. */
  isOne({ storage }: Tensor): boolean {
    return this.ones === storage;
  }

  /** Runs `body` while a tensor's memory stays, whoever discards it. */
  holding<T>({ storage }: Tensor, body: () => T): T {
    const fresh = !this.held.has(storage);
    if (fresh) this.held.add(storage);
    try {
      return body();
    } finally {
      if (fresh) this.held.delete(storage);
    }
  }

  /** Runs `body` without recording, to be replayed. */
  unrecorded<T>(body: () => T): T {
    this.paused++;
    this.rehearsals++;
    try {
      return body();
    } finally {
      this.paused--;
      this.rehearsals--;
    }
  }

  /** Runs `body` again, recording. */
  replay<T>(body: () => T): T {
    this.replays++;
    try {
      return body();
    } finally {
      this.replays--;
    }
  }

  private isRead(storage: Storage): boolean {
    return this.held.has(storage) || this.nodes.some(({ reads }) => reads.has(storage));
  }

  clear(): void {
    this.nodes.length = 0;
    this.held.clear();
  }

  /** Takes the nodes, latest first, leaving the tape empty. */
  drain(): TapeNode[] {
    return this.nodes.splice(0).toReversed();
  }
}

const addInto = pointwise(
  "accumulate gradient",
  { a: element("f32"), b: element("f32") },
  {},
  ({ a, b }) => ({
    sum: output("f32", a.add(b)),
  }),
);

/**
 * The gradients still needed, by tensor. Several may share one storage (an addition hands the same `dy` to both
 * sides), so storages are counted and freed with their last entry.
 */
class GradientTable {
  private readonly entries = new Map<Tensor, Tensor>();
  private readonly counts = new Map<Storage, number>();

  /** Adds a contribution to a tensor's gradient. */
  add(tensor: Tensor, gradient: Tensor): void {
    if (sizeOf(tensor.shape) !== sizeOf(gradient.shape)) {
      throw new ShapeError(
        `logrung: gradient [${gradient.shape.join()}] for a tensor [${tensor.shape.join()}]`,
      );
    }
    const before = this.entries.get(tensor);
    const after = before ? this.sum(before, gradient) : gradient;
    if (after === before) {
      if (!this.counts.has(gradient.storage)) gradient.device.free(gradient);
      return;
    }
    this.count(after.storage, 1);
    this.entries.set(tensor, after);
    if (before) {
      this.drop(before);
      if (!this.counts.has(gradient.storage)) gradient.device.free(gradient);
    }
  }

  /** Removes and returns a tensor's gradient; its storage stays counted until {@link drop}. */
  take(tensor: Tensor): Tensor | undefined {
    const gradient = this.entries.get(tensor);
    this.entries.delete(tensor);
    return gradient;
  }

  /** Whether a gradient that was taken is nobody else's, not in part either. */
  owns({ storage }: Tensor): boolean {
    return this.counts.get(storage) === 1;
  }

  holds(storage: Storage): boolean {
    return this.counts.has(storage);
  }

  drop(gradient: Tensor): void {
    this.count(gradient.storage, -1);
  }

  /** Counts a storage that somebody else owns too: it is neither written nor freed. */
  hold({ storage }: Tensor): void {
    this.count(storage, 1);
  }

  /** What is left: the gradients of the leaves. */
  rest(): Map<Tensor, Tensor> {
    return this.entries;
  }

  private sum(a: Tensor, b: Tensor): Tensor {
    const shared = (this.counts.get(a.storage) ?? 0) > 1 || a.storage === b.storage;
    const target = shared ? a.device.empty(a.shape) : a;
    const sizes = { rows: 1, columns: sizeOf(a.shape) };
    a.device.run(addInto, { inputs: { a, b }, outputs: { sum: target }, sizes });
    return target;
  }

  private count(storage: Storage, change: number): void {
    const count = (this.counts.get(storage) ?? 0) + change;
    this.counts.set(storage, count);
    if (count > 0) return;
    this.counts.delete(storage);
    this.release?.(storage);
  }

  private readonly release: ((storage: Storage) => void) | null;
  constructor(release: (storage: Storage) => void) {
    this.release = release;
  }
}

/** Gradients of the leaves of a loss (its parameters), float32, freed at the end of the step. */
export type Gradients = ReadonlyMap<Tensor, Tensor>;

/**
 * Walks the tape from a scalar loss: dL/dθ for every tracked tensor that no operation made.
 *
 * Memory is given back on the way: an operation's output and what it saved are freed as soon as its own vjp has run,
 * since every later reader's vjp ran before. The loss itself stays.
 *
 * @throws ShapeError when the loss is not a scalar; Error when nothing tracked leads to it.
 */
export function backward(loss: Tensor): Gradients {
  const { device } = loss;
  if (sizeOf(loss.shape) !== 1)
    throw new ShapeError(`logrung: backward from shape [${loss.shape.join()}], wants a scalar`);
  if (!loss.tracked) throw new Error("logrung: backward from a loss that no tracked tensor leads to");
  const table = new GradientTable((storage) => device.release(storage));
  const one = device.tensor(new Float32Array([1]), loss.shape);
  table.hold(one);
  const gradients = device.tape.startingFrom(one, () => walk(loss, one, table));
  table.drop(one);
  return gradients;
}

/**
 * The gradients that dL/dy gives to what the tape has recorded since it was last drained; `dy` stays the
 * caller's.
 */
export function pullBack(y: Tensor, dy: Tensor): Gradients {
  const table = new GradientTable((storage) => y.device.release(storage));
  table.hold(dy);
  return walk(y, dy, table);
}

function walk(end: Tensor, seed: Tensor, table: GradientTable): Gradients {
  const { device } = end;
  const nodes = device.tape.drain();
  table.add(end, seed);
  for (const [at, node] of nodes.entries()) {
    const dy = table.take(node.output);
    if (dy) {
      const spent = ({ storage }: Tensor): boolean => !table.holds(storage) && isSpent(storage, nodes, at);
      node.vjp(dy, table.owns(dy), spent).forEach((gradient, i) => {
        const input = node.inputs[i];
        if (!gradient) return;
        if (input.tracked) table.add(input, gradient);
        else if (gradient.storage !== dy.storage) device.free(gradient);
      });
      table.drop(dy);
    }
    freeAfter(node, end, table);
  }
  return table.rest();
}

/** Whether an operation to come made a storage, which is freed after it, and none of them reads it. */
function isSpent(storage: Storage, nodes: readonly TapeNode[], after: number): boolean {
  let made = false;
  for (let i = after + 1; i < nodes.length; i++) {
    const node = nodes[i];
    if (node.reads.has(storage)) return false;
    made ||= node.output.storage === storage && !node.inputs.some((input) => input.storage === storage);
  }
  return made;
}

/** What became a gradient's goes with the gradient. */
function freeAfter(node: TapeNode, loss: Tensor, table: GradientTable): void {
  const { device, storage } = node.output;
  for (const tensor of node.saved) device.free(tensor);
  const isView = node.inputs.some((input) => input.storage === storage);
  if (!isView && storage !== loss.storage && !table.holds(storage)) device.release(storage);
}
