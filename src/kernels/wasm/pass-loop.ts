/** The loop of a {@link Pass}: full turns of several vectors, then single vectors for what is left. */
import type { Value } from "../program.ts";
import type { Local } from "./assembler.ts";
import type { Emitter, Lanes } from "./expression.ts";
import { pushVector } from "./frame.ts";
import { countedBy, IndexLanes } from "./index-lanes.ts";
import { LookAhead } from "./look-ahead.ts";
import { reachable, rootsOf, streamOf, type Pass } from "./pass.ts";
import { NarrowTail } from "./narrow-tail.ts";
import { Accumulators } from "./pass-reduction.ts";
import {
  Loads,
  storeHalves,
  storeLane,
  storeVectors,
  type Position,
  type Stream,
  type Streams,
} from "./streams.ts";

/** A function's emitter and the buffers it walks through. */
export interface Walk {
  readonly emitter: Emitter;
  readonly streams: Streams;
}

/**
 * Vectors a turn. Two, so that stores come in adjacent pairs, which V8 can fuse to 256 bits; four where bytes are
 * read or written, whose natural unit is 16 elements, and in pure reductions, for independent chains of additions.
 */
function turnWidth(pass: Pass, streams: Iterable<Stream>): number {
  if (pass.stores.length === 0) return reachable(rootsOf(pass)).size <= 24 ? 4 : 2;
  return [...streams].some(({ bytes }) => bytes === 1) ? 4 : 2;
}

/** Divisions and roots: a result every five cycles or more. */
const isSlow = ({ node }: Value): boolean =>
  (node.kind === "unary" && node.op === "sqrt") || (node.kind === "binary" && node.op === "div");

/** Vectors of a turn of sixteen elements. */
const SIXTEEN = 4;

/** Writes a pass over `count` elements from `position` on. Reductions are held by the emitter afterwards. */
export function writePass(walk: Walk, pass: Pass, position: Position, count: Local): void {
  new PassWriter(walk, pass, position).write(count);
}

class PassWriter {
  private readonly emitter: Emitter;
  private readonly streams: Streams;
  private readonly pass: Pass;
  private readonly position: Position;
  private readonly used: Set<Stream>;
  private readonly width: number;
  private readonly index: IndexLanes;
  private readonly accumulators: Accumulators;
  private readonly masked: boolean;
  /** In turns of {@link SIXTEEN}. */
  private readonly ahead: LookAhead | null;
  private readonly slow: readonly Value[];
  /** What is computed in 16 bits in turns of {@link SIXTEEN} elements. */
  private readonly tail: NarrowTail;
  /** Never set. */
  private readonly nothing: Local;

  constructor({ emitter, streams }: Walk, pass: Pass, position: Position) {
    const values = reachable(rootsOf(pass));
    this.emitter = emitter;
    this.nothing = emitter.frame.code.local("v128");
    this.streams = streams;
    this.pass = pass;
    this.position = position;
    this.used = this.usedStreams(values);
    this.width = turnWidth(pass, this.used);
    const bytes = pass.stores.filter(({ stream }) => this.streams.get(stream).bytes === 1);
    this.tail = new NarrowTail(emitter, this.width === SIXTEEN ? bytes.map(({ value }) => value) : []);
    this.index = new IndexLanes(emitter.frame, rootsOf(pass), position);
    this.accumulators = new Accumulators(emitter, pass.reductions, this.width);
    const lookups = [...values].some((v) => v.node.kind === "lookup" && emitter.level(v) === 2);
    this.masked = lookups || pass.reductions.length > 0;
    this.slow = [...values].filter((value) => isSlow(value) && emitter.level(value) === 2);
    const codesOf = (value: Value): Stream => this.streams.get(streamOf(value) ?? "");
    this.ahead = this.width === SIXTEEN ? LookAhead.of(emitter, values, codesOf) : null;
  }

  write(count: Local): void {
    const { code } = this.emitter.frame;
    const left = code.local("i32");
    this.emitter.hoist(rootsOf(this.pass), 1);
    this.streams.seek(this.used, this.position);
    this.index.start(this.width);
    this.accumulators.start();
    code.get(count).tee(left);
    code.i32(4 * this.width).op("i32.ge_s").if(() => this.fullTurns(left)); // prettier-ignore
    code.while(
      () => code.get(left).i32(0).op("i32.gt_s"),
      () => this.lastTurn(left),
    );
    this.accumulators.finish();
  }

  private usedStreams(values: ReadonlySet<Value>): Set<Stream> {
    const used = new Set<Stream>();
    for (const value of values) {
      const name = this.emitter.level(value) === 2 ? streamOf(value) : null;
      if (name) used.add(this.streams.get(name));
    }
    for (const { stream } of this.pass.stores) used.add(this.streams.get(stream));
    return used;
  }

  private fullTurns(left: Local): void {
    const { code } = this.emitter.frame;
    this.ahead?.start();
    code.doWhile(
      () => {
        this.ahead?.begin();
        this.turn(this.width, null, (stream, vectors) => storeVectors(code, stream, vectors));
        this.streams.advance(this.used, 4 * this.width);
        this.index.advance(4 * this.width);
        this.ahead?.advance();
        code.get(left).i32(4 * this.width).op("i32.sub").set(left); // prettier-ignore
      },
      () => code.get(left).i32(4 * this.width).op("i32.ge_s"), // prettier-ignore
    );
  }

  /** One vector, of which `left` lanes exist; nothing is written past them. */
  private lastTurn(left: Local): void {
    const { code } = this.emitter.frame;
    const mask = this.masked ? this.existing(left) : null;
    this.turn(1, mask, (stream, [vector]) => this.storeExisting(stream, vector, left));
    this.streams.advance(this.used, 4);
    this.index.advance(4);
    code.get(left).i32(4).op("i32.sub").set(left);
  }

  private existing(left: Local): Local {
    const { frame } = this.emitter;
    const mask = frame.code.local("v128");
    pushVector(frame, [0, 1, 2, 3]);
    frame.code.get(left).op("i32x4.splat").op("i32x4.lt_s").set(mask);
    return mask;
  }

  private storeExisting(stream: Stream, vector: Local, left: Local): void {
    const { code } = this.emitter.frame;
    const more = (than: number, body: () => void) => code.get(left).i32(than).op("i32.gt_s").if(body);
    const lane = (index: number) => storeLane(code, stream, vector, index);
    code.get(left).i32(4).op("i32.ge_s"); // prettier-ignore
    code.if(
      () => storeVectors(code, stream, [vector]),
      () => {
        lane(0);
        more(1, () => {
          lane(1);
          more(2, () => lane(2));
        });
      },
    );
  }

  /** Everything is loaded and computed before anything is stored, so that outputs may lie where inputs do. */
  private turn(
    width: number,
    mask: Local | null,
    store: (stream: Stream, vectors: readonly Local[]) => void,
  ): void {
    const { code } = this.emitter.frame;
    const loads = new Loads(code);
    const results = this.pass.stores.map((): Local[] => []);
    const tail = width === SIXTEEN ? this.tail : null;
    const isNarrow = (value: Value): boolean => tail?.roots.has(value) ?? false;
    const ahead = width === this.width ? this.ahead : null;
    const vectors = Array.from({ length: width }, (_, u) => this.lanes(u, mask, loads, ahead));
    for (const value of ahead?.values ?? []) this.emitter.interleave(value, vectors);
    for (const value of this.inOrder(tail)) this.emitter.interleave(value, vectors, () => ahead?.between());
    vectors.forEach((lanes, u) => {
      this.pass.stores.forEach(({ value }, i) => {
        if (isNarrow(value)) return;
        const result = code.local("v128");
        this.emitter.push(value, lanes);
        code.set(result);
        results[i].push(result);
      });
      this.accumulators.take(u, lanes);
    });
    ahead?.finish();
    const narrow = tail ? this.halves(tail, vectors, loads, results) : [];
    this.pass.stores.forEach(({ stream, value }, i) => {
      const [low, high] = results[i];
      if (isNarrow(value)) storeHalves(code, this.streams.get(stream), low, high);
      else store(this.streams.get(stream), results[i]);
    });
    const computed = vectors.flatMap(({ done }) => [...done.values()]);
    this.forget([...results.flat(), ...computed, ...narrow, ...loads.locals()]);
  }

  /** What a turn computes: first what takes long and keeps no unit busy, so that the rest fills the time. */
  private inOrder(tail: NarrowTail | null): Value[] {
    const stored = this.pass.stores.map(({ value }) => value);
    const wide = tail ? [...tail.leaves, ...stored.filter((value) => !tail.roots.has(value))] : stored;
    return [...this.slow, ...wide, ...this.pass.reductions.map(({ value }) => value)];
  }

  /** Computes the last operations of bytes for the two halves of a turn. @returns all locals that were set. */
  private halves(tail: NarrowTail, vectors: readonly Lanes[], loads: Loads, results: Local[][]): Local[] {
    const bytes = (value: Value, half: 0 | 1): void =>
      loads.pushHalf(this.streams.get(streamOf(value) ?? ""), half);
    return ([0, 1] as const).flatMap((half) => {
      const { results: narrow, locals } = tail.write(half, vectors, bytes);
      this.pass.stores.forEach(({ value }, i) => {
        const result = narrow.get(value);
        if (result) results[i].push(result);
      });
      return locals;
    });
  }

  /**
   * Gives locals back their first value. A local that leaves a loop turn with a computed value counts as a use of it,
   * and V8 fuses no operations whose halves are used one by one.
   */
  private forget(locals: Iterable<Local>): void {
    const { code } = this.emitter.frame;
    for (const local of new Set(locals)) code.get(this.nothing).set(local);
  }

  private lanes(u: number, mask: Local | null, loads: Loads, ahead: LookAhead | null): Lanes {
    return {
      done: new Map(),
      slot: u,
      mask,
      pushEntries: (value) => ahead?.push(value, u) ?? false,
      pushElement: (value, lane) => loads.pushElement(this.streams.get(streamOf(value) ?? ""), 4 * u + lane),
      pushLeaf: (value) => {
        const name = streamOf(value);
        if (name) loads.push(this.streams.get(name), u);
        else if (countedBy(value)) this.index.push(value, u);
        else throw new RangeError(`logrung: a value of kind ${value.node.kind} cannot be read here`);
      },
    };
  }
}
