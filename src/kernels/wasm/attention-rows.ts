/** What attention does to the rows of a tile: softmax block by block, its end, and its gradient. */
import { EXP2 } from "../math/exponentials.ts";
import { nearestInteger, polynomial, powerOfTwo } from "../math/parts.ts";
import { f32, fma, index, input, reduced, select, uniform, type Value } from "../program.ts";
import { randomBits } from "../random.ts";
import { element, output, type Outputs } from "../signature.ts";
import type { Callee, Code, Local, Module } from "./assembler.ts";
import { Graph } from "./expression-graph.ts";
import { add, pushMin, words } from "./gemm-arguments.ts";
import { frameOf, walkOf, type Writing } from "./matrix-body.ts";
import { lowerReduced, lowerStores, rootsOf, type Pass } from "./pass.ts";
import { writePass, type Walk } from "./pass-loop.ts";
import type { ReduceOp } from "../rows.ts";

/** Bytes of a query's state in forward: its top score so far (times log₂ e), and the sum of its exponentials. */
export const STATE_BYTES = 8;

/**
 * 2ˣ for x ≤ 0, or above by a rounding; below 2⁻¹²⁶ it is 2⁻¹²⁶, which no sum of probabilities notices.
 */
function exp2OfNegative(x: Value): Value {
  const inside = x.max(-126);
  const { whole, bits } = nearestInteger(inside);
  return polynomial(inside.sub(whole), [1, ...EXP2]).mul(powerOfTwo(bits));
}

/** Scores in units of log₂: 2 to their power is e to the score's. */
const log2Scale = (): Value => uniform("f32", "scale").mul(Math.LOG2E);

/** What an element is multiplied by: 0 or the gain. */
function kept(value: Value): Value {
  const draw = randomBits(index(), uniform("u32", "key0"), uniform("u32", "key1"));
  return select(draw.ge(uniform("u32", "threshold")), value.mul(uniform("f32", "gain")), f32(0));
}

/** One function being written: passes over rows, and numbers of a row. */
class Rows {
  readonly code: Code;
  readonly graph: Graph;
  private readonly walk: Walk;
  private readonly roots: Value[] = [];

  constructor(writing: Writing, code: Code, parameters: readonly [Local, Local], streams: readonly string[]) {
    this.code = code;
    const inputs = Object.fromEntries(streams.map((name) => [name, element("f32")]));
    this.graph = new Graph({ inputs, stored: {}, wide: writing.target.revectorize });
    this.walk = walkOf(frameOf(writing, code, ...parameters), this.graph);
  }

  /** Declares a matrix whose current row begins at the address in `row`. */
  open(name: string, row: Local): void {
    for (const stream of [`input:${name}`, `output:${name}`])
      this.walk.streams.open(stream, "f32", "start", row);
  }

  pass(outputs: Outputs, reductions: Readonly<Record<string, readonly [ReduceOp, Value]>> = {}): Pass {
    const pass: Pass = {
      stores: lowerStores(this.graph, outputs),
      reductions: Object.entries(reductions).map(([name, [op, value]]) => ({
        op,
        result: this.graph.lower(reduced(name)),
        value: lowerReduced(this.graph, value),
      })),
    };
    this.roots.push(...rootsOf(pass));
    return pass;
  }

  /** Declares a number of a row. */
  number(value: Value): Value {
    const lowered = this.graph.lower(value);
    this.graph.use(lowered);
    this.roots.push(lowered);
    return lowered;
  }

  /** Computes what is the same in all rows; after all passes and numbers are declared, before the rows' loop. */
  start(): void {
    this.walk.emitter.hoist(this.roots, 0);
  }

  run(pass: Pass, count: Local, elementNumber?: Local): void {
    writePass(this.walk, pass, elementNumber ? { element: elementNumber } : {}, count);
  }

  /** Gives a row's `reduced` number the float at an address. */
  load(name: string, address: Local, offset = 0): void {
    this.code.get(address).memory("v128.load32_splat", offset);
    this.walk.emitter.holdPushed(this.graph.lower(reduced(name)));
  }

  /** Computes a row's number. */
  hold(value: Value): Local {
    return this.walk.emitter.hold(value);
  }

  store(value: Value, address: Local, offset = 0): void {
    const vector = this.hold(value);
    this.code.get(address).get(vector).memoryLane("v128.store32_lane", 0, offset);
  }
}

/** Runs `body` while `rows`, counting down, is not 0. */
function eachRow(code: Code, rows: Local, body: () => void): void {
  code.while(
    () => code.get(rows),
    () => {
      body();
      add(code, rows, -1);
    },
  );
}

/** Writes zeros from element `from` of a row to element `to`, and up to three more. */
function zeroTail(code: Code, rowsOf: readonly Local[], from: Local, to: Local): void {
  const at = code.local("i32");
  const zero = code.local("v128");
  const column = code.local("i32");
  for (const row of rowsOf) {
    code.get(from).tee(column).i32(2).op("i32.shl").get(row).op("i32.add").set(at);
    code.while(
      () => code.get(column).get(to).op("i32.lt_s"),
      () => {
        code.get(at).get(zero).memory("v128.store");
        add(code, at, 16);
        add(code, column, 4);
      },
    );
  }
}

/** Pushes max(0, min(columns, visible)) into a local. */
function seenColumns(code: Code, columns: Local, visible: Local, to: Local): void {
  const zero = code.local("i32");
  pushMin(code, columns, visible).set(to);
  code.get(to).get(zero).get(to).i32(0).op("i32.gt_s").op("select").set(to);
}

/**
 * Defines `softmax(uniforms, constants, s, sRow, y, yRow, state, rows, columns, visible, width, rescale, element,
 * elementRow)`: replaces a tile's products by exponentials and takes them into the state of their rows.
 *
 * The first row sees `visible` columns, each next one more; the rest becomes 0. A row whose top has grown has what was
 * summed up before, also y if `rescale`, multiplied by 2^(old top - new top).
 */
export function defineSoftmax(module: Module, writing: Writing, dropout: boolean): Callee {
  return module.function(words(14), [], null, (code, uniforms, constants, ...parameters) => {
    const [s, sRow, y, yRow, state, rows, columns, visible, width, rescale, elementNumber, elementRow] =
      parameters;
    const writer = new Rows(writing, code, [uniforms, constants], ["s", "y"]);
    writer.open("s", s);
    writer.open("y", y);
    const x = input("s", "f32");
    const top = writer.pass({}, { top: ["max", x.mul(log2Scale())] });
    const newTop = reduced("before").max(reduced("top"));
    const p = exp2OfNegative(fma(x, log2Scale(), newTop.neg()));
    const exponentials = writer.pass(
      { s: output("f32", dropout ? kept(p) : p) },
      { sum: ["sum", p] },
    );
    const shrink = exp2OfNegative(reduced("before").sub(newTop));
    const rescaled = writer.pass({ y: output("f32", input("y", "f32").mul(shrink)) });
    const [tops, shrinks] = [writer.number(newTop), writer.number(shrink)];
    const sum = writer.number(reduced("sum before").fma(shrink, reduced("sum")));
    const count = code.local("i32");
    writer.start();
    eachRow(code, rows, () => {
      seenColumns(code, columns, visible, count);
      code.get(count).if(() => {
        writer.load("before", state);
        writer.load("sum before", state, 4);
        writer.run(top, count);
        writer.run(exponentials, count, elementNumber);
        writer.hold(shrinks);
        writer.store(sum, state, 4);
        code.get(writer.hold(tops)).lane("f32x4.extract_lane", 0).get(state).memory("f32.load").op("f32.ne");
        code.get(rescale).op("i32.and").if(() => writer.run(rescaled, width));
        writer.store(tops, state);
      });
      zeroTail(code, [s], count, columns);
      add(code, s, sRow);
      add(code, y, yRow);
      add(code, state, STATE_BYTES);
      add(code, visible, 1);
      add(code, elementNumber, elementRow);
    });
  });
} // prettier-ignore

/** Defines `start(state, rows)`: rows that have seen nothing. */
export function defineStart(module: Module): Callee {
  return module.function(words(2), [], null, (code, state, rows) =>
    eachRow(code, rows, () => {
      code.get(state).f32(-Infinity).memory("f32.store").get(state).f32(0).memory("f32.store", 4);
      add(code, state, STATE_BYTES);
    }),
  );
}

/**
 * Defines `finish(uniforms, constants, y, yRow, lse, state, rows, width)`: divides rows of sums by the sum of their
 * weights, and writes the logarithm of that.
 */
export function defineFinish(module: Module, writing: Writing): Callee {
  return module.function(words(8), [], null, (code, uniforms, constants, ...parameters) => {
    const [y, yRow, lse, state, rows, width] = parameters;
    const writer = new Rows(writing, code, [uniforms, constants], ["y"]);
    writer.open("y", y);
    const [top, sum] = [reduced("top"), reduced("sum")];
    const divided = writer.pass({ y: output("f32", input("y", "f32").mul(sum.reciprocal())) });
    const logarithm = writer.number(top.add(sum.log2()).mul(Math.LN2));
    writer.start();
    eachRow(code, rows, () => {
      writer.load("top", state);
      writer.load("sum", state, 4);
      writer.run(divided, width);
      writer.store(logarithm, lse);
      add(code, y, yRow);
      add(code, state, STATE_BYTES);
      add(code, lse, 4);
    });
  });
}

/** Defines `deltas(uniforms, constants, y, yRow, dy, dyRow, to, rows, width)`: the products of rows, Σ y dy. */
export function defineDeltas(module: Module, writing: Writing): Callee {
  return module.function(words(9), [], null, (code, uniforms, constants, ...parameters) => {
    const [y, yRow, dy, dyRow, to, rows, width] = parameters;
    const writer = new Rows(writing, code, [uniforms, constants], ["y", "dy"]);
    writer.open("y", y);
    writer.open("dy", dy);
    const pass = writer.pass({}, { delta: ["sum", input("y", "f32").mul(input("dy", "f32"))] });
    const delta = writer.number(reduced("delta"));
    writer.start();
    eachRow(code, rows, () => {
      writer.run(pass, width);
      writer.store(delta, to);
      add(code, y, yRow);
      add(code, dy, dyRow);
      add(code, to, 4);
    });
  });
}

/**
 * Defines `gradient(uniforms, constants, s, d, row, lse, delta, rows, columns, visible, element, elementRow)`: where
 * a tile holds the products Q Kᵀ in s and dY Vᵀ in d, it gets the probabilities (those kept, where some are dropped)
 * and the gradients of the products. Columns are seen as in `softmax`.
 */
export function defineGradient(module: Module, writing: Writing, dropout: boolean): Callee {
  return module.function(words(12), [], null, (code, uniforms, constants, ...parameters) => {
    const [s, d, row, lse, delta, rows, columns, visible, elementNumber, elementRow] = parameters;
    const writer = new Rows(writing, code, [uniforms, constants], ["s", "d"]);
    writer.open("s", s);
    writer.open("d", d);
    const offset = reduced("lse").mul(-Math.LOG2E);
    const p = exp2OfNegative(fma(input("s", "f32"), log2Scale(), offset));
    const dp = dropout ? kept(input("d", "f32")) : input("d", "f32");
    const ds = p.mul(dp.sub(reduced("delta"))).mul(uniform("f32", "scale"));
    const pass = writer.pass({ s: output("f32", dropout ? kept(p) : p), d: output("f32", ds) });
    const count = code.local("i32");
    writer.start();
    eachRow(code, rows, () => {
      seenColumns(code, columns, visible, count);
      code.get(count).if(() => {
        writer.load("lse", lse);
        writer.load("delta", delta);
        writer.run(pass, count, elementNumber);
      });
      zeroTail(code, [s, d], count, columns);
      for (const local of [s, d]) add(code, local, row);
      for (const local of [lse, delta]) add(code, local, 4);
      add(code, visible, 1);
      add(code, elementNumber, elementRow);
    });
  });
}

/** Defines `zeroRows(to, row, rows, width)`: a matrix of zeros. */
export function defineZeroRows(module: Module): Callee {
  return module.function(words(4), [], null, (code, to, row, rows, width) => {
    const at = code.local("i32");
    const end = code.local("i32");
    eachRow(code, rows, () => {
      code.get(to).tee(at).get(width).i32(2).op("i32.shl").op("i32.add").set(end);
      code.while(
        () => code.get(at).get(end).op("i32.lt_u"),
        () => {
          code.get(at).f32(0).memory("f32.store");
          add(code, at, 4);
        },
      );
      add(code, to, row);
    });
  });
}
