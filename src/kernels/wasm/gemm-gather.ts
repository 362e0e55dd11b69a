/** Packing of gathered operands: places by two tables of offsets, one for each axis. */
import type { Code, Local, Module } from "./assembler.ts";
import { add, pushMin, words } from "./gemm-arguments.ts";
import { pushPanelBytes, transposeBlock, type Packer } from "./gemm-pack.ts";

/** What the body of a strip works with: tables in bytes, offsets in elements; `count` places are real. */
export interface GatheredStrip {
  readonly code: Code;
  readonly width: number;
  /** Bytes from one k of the panel to the next. */
  readonly pitch: number;
  readonly source: Local;
  /** Offsets of the strip's first place and of the first k. */
  readonly wideAt: Local;
  readonly deepAt: Local;
  readonly count: Local;
  readonly deep: Local;
  readonly panel: Local;
  /** Columns come in runs of so many adjacent elements; the first has `phase` of its run before it. */
  readonly run: Local;
  readonly phase: Local;
}

/** The axis that an operand's columns lie along: "deep" for A, "wide" for B. */
export type ColumnAxis = "wide" | "deep";

/**
 * Places that packing may write past a panel, in k: the last run of a panel may be shorter than the four k that are
 * transposed at once.
 */
export const OVERSHOOT = 3;

/**
 * Defines the packer `pack(source, wideAt, deepAt, wide, deep, panels, run, phase)` of a gathered operand: element (w, d)
 * is the float at source + 4 (wideAt[w] + deepAt[d]). The panels are those of `gemm-pack.ts`.
 */
export function definePackGathered(module: Module, width: number, columns: ColumnAxis): Packer {
  const strip = defineGatheredStrip(module, width, width * 4, columns);
  return module.function(words(8), [], null, (code, source, wideAt, deepAt, wide, deep, panels, run, phase) => {
    const [count, bytes] = [code.local("i32"), code.local("i32")];
    pushPanelBytes(code, width, deep).set(bytes);
    code.while(
      () => code.get(wide).i32(0).op("i32.gt_s"),
      () => {
        pushMin(code, wide, width).set(count);
        code.get(source).get(wideAt).get(deepAt).get(count).get(deep).get(panels).get(run).get(phase).call(strip);
        if (columns === "wide") moveInRun(code, phase, width, run);
        add(code, wideAt, width * 4);
        add(code, panels, bytes);
        add(code, wide, -width);
      },
    );
  });
} // prettier-ignore

/** phase ← (phase + count) mod run */
export function moveInRun(code: Code, phase: Local, count: number, run: Local): void {
  code.get(phase).i32(count).op("i32.add").get(run).op("i32.rem_u").set(phase);
}

/** Defines `strip(source, wideAt, deepAt, count, deep, panel, run, phase)`: one strip of a panel. */
export function defineGatheredStrip(module: Module, width: number, pitch: number, columns: ColumnAxis): Packer {
  return module.function(words(8), [], null, (code, source, wideAt, deepAt, count, deep, panel, run, phase) => {
    const strip = { code, width, pitch, source, wideAt, deepAt, count, deep, panel, run, phase };
    if (columns === "deep") {
      code.get(run).i32(1).op("i32.gt_s");
      code.if(() => packDeepRuns(strip), () => packSingly(strip));
      return;
    }
    code.get(run).i32(3).op("i32.and").op("i32.eqz");
    code.if(() => packWideQuads(strip), () => packWideRuns(strip));
  });
} // prettier-ignore

/** Pushes source + 4 · the offset of place `place`; those past the last real one repeat its group of `step`. */
function pushPlace(
  { code, source, wideAt, count }: GatheredStrip,
  place: (code: Code) => Code,
  step = 1,
): Code {
  const last = (): Code => code.get(count).i32(1).op("i32.sub").i32(-step).op("i32.and");
  place(code);
  last();
  place(code);
  last().op("i32.lt_s").op("select");
  return pushOffset(code.i32(2).op("i32.shl").get(wideAt).op("i32.add")).get(source).op("i32.add");
}

/** Replaces the address of an offset by its bytes. */
const pushOffset = (code: Code): Code => code.memory("i32.load").i32(2).op("i32.shl");

/** Runs `body` for every k: `offset` is the bytes that the deep axis adds, `to` walks the panel. */
function forEachDeepOffset(
  { code, pitch, deepAt, deep, panel }: GatheredStrip,
  body: (offset: Local, to: Local) => void,
): void {
  const [offset, to, at, left] = Array.from({ length: 4 }, () => code.local("i32"));
  code.get(panel).set(to).get(deepAt).set(at).get(deep).set(left);
  code.while(
    () => code.get(left).i32(0).op("i32.gt_s"),
    () => {
      pushOffset(code.get(at)).set(offset);
      body(offset, to);
      add(code, at, 4);
      add(code, to, pitch);
      add(code, left, -1);
    },
  );
}

/**
 * Runs of adjacent k: blocks of four k by up to four places, transposed in registers. The last of a run's blocks ends
 * with it; where a run is shorter than a block, what it writes too much belongs to the next.
 */
function packDeepRuns(strip: GatheredStrip): void {
  const { code, width } = strip;
  for (let first = 0; first < width;) {
    const size = width - first >= 4 ? 4 : width - first >= 2 ? 2 : 1;
    const rows = Array.from({ length: size }, (_, i) => {
      const row = code.local("i32");
      pushPlace(strip, () => code.i32(first + i)).set(row);
      return row;
    });
    forEachRun(strip, first * 4, (start, length, to) => packRun(strip, rows, start, length, to));
    first += size;
  }
}

/** Runs `body` for each run of k: the bytes its offset adds, its length, and its place in the panel. */
function forEachRun(
  { code, pitch, deepAt, deep, panel, run, phase }: GatheredStrip,
  skip: number,
  body: (start: Local, length: Local, to: Local) => void,
): void {
  const [start, length, to, at, left] = Array.from({ length: 5 }, () => code.local("i32"));
  code.get(panel).i32(skip).op("i32.add").set(to).get(deepAt).set(at).get(deep).set(left);
  code.get(run).get(phase).op("i32.sub").set(length);
  code.while(
    () => code.get(left).i32(0).op("i32.gt_s"),
    () => {
      pushMin(code, length, left).set(length);
      pushOffset(code.get(at)).set(start);
      body(start, length, to);
      code.get(at).get(length).i32(2).op("i32.shl").op("i32.add").set(at);
      code.get(to).get(length).i32(pitch).op("i32.mul").op("i32.add").set(to);
      code.get(left).get(length).op("i32.sub").set(left);
      code.get(run).set(length);
    },
  );
}

/** One run: its blocks of four k, each of the places `rows`. */
function packRun(
  { code, pitch }: GatheredStrip,
  rows: readonly Local[],
  start: Local,
  length: Local,
  to: Local,
): void {
  const [offset, put, left, step] = Array.from({ length: 4 }, () => code.local("i32"));
  const places = rows.map(() => code.local("i32"));
  code.get(start).set(offset).get(to).set(put).get(length).set(left);
  code.loop(() => {
    places.forEach((place, i) => code.get(rows[i]).get(offset).op("i32.add").set(place));
    transposeBlock(code, places, put, pitch);
    // On to the next block, or to the last one, which is moved back to end with the run.
    code.get(left).i32(4).op("i32.sub").set(left);
    pushMin(code, left, 4).set(step);
    code.get(step).i32(2).op("i32.shl").get(offset).op("i32.add").set(offset);
    code.get(step).i32(pitch).op("i32.mul").get(put).op("i32.add").set(put);
    code.get(left).i32(0).op("i32.gt_s").brIf(0);
  });
} // prettier-ignore

/** Runs of whole fours of places: copies of vectors. Strips are multiples of four wide. */
function packWideQuads(strip: GatheredStrip): void {
  const { code, width } = strip;
  const groups = Array.from({ length: width / 4 }, () => code.local("i32"));
  const vectors = groups.map(() => code.local("v128"));
  groups.forEach((group, i) => pushPlace(strip, () => code.i32(i * 4), 4).set(group));
  forEachDeepOffset(strip, (offset, to) => {
    groups.forEach((group, i) =>
      code.get(group).get(offset).op("i32.add").memory("v128.load").set(vectors[i]),
    );
    vectors.forEach((vector, i) => code.get(to).get(vector).memory("v128.store", i * 16));
  });
} // prettier-ignore

/**
 * Runs of adjacent places, of any length: what lies in the strip of each is copied down all k, by vectors, the last one
 * moved back to end with it, or place by place where there is no room for one.
 */
function packWideRuns(strip: GatheredStrip): void {
  const { code, wideAt, source, count, run, phase, panel } = strip;
  const [at, length, from, to, left, step] = Array.from({ length: 6 }, () => code.local("i32"));
  const next = code.local("i32");
  code.i32(0).set(at).get(run).get(phase).op("i32.sub").set(length);
  code.while(
    () => code.get(count).get(at).op("i32.sub").tee(left).i32(0).op("i32.gt_s"),
    () => {
      pushMin(code, length, left).set(length);
      pushOffset(code.get(at).i32(2).op("i32.shl").get(wideAt).op("i32.add"));
      code.get(source).op("i32.add").set(from);
      code.get(at).i32(2).op("i32.shl").get(panel).op("i32.add").set(to);
      code.get(at).get(length).op("i32.add").set(at).get(length).set(left);
      code.loop(() => {
        code.get(length).i32(4).op("i32.ge_s");
        code.if(
          () => copyDown(strip, from, to, "v128"),
          () => copyDown(strip, from, to, "f32"),
        );
        code.i32(4).i32(1).get(length).i32(4).op("i32.ge_s").op("select").set(step);
        // Of what is left after this vector, less than another moves it back.
        code.get(left).get(step).op("i32.sub").tee(left).set(next);
        pushMin(code, next, step).i32(2).op("i32.shl").set(next);
        add(code, from, next);
        add(code, to, next);
        code.get(next).i32(0).op("i32.gt_s").brIf(0);
      });
      code.get(run).set(length);
    },
  );
} // prettier-ignore

/** One place, or four adjacent ones, of every k. */
function copyDown(strip: GatheredStrip, from: Local, column: Local, type: "v128" | "f32"): void {
  const { code } = strip;
  forEachDeepOffset({ ...strip, panel: column }, (offset, to) => {
    code.get(to).get(from).get(offset).op("i32.add");
    if (type === "v128") code.memory("v128.load").memory("v128.store");
    else code.memory("f32.load").memory("f32.store");
  });
}

/** Element by element. */
function packSingly(strip: GatheredStrip): void {
  const { code, width } = strip;
  const place = code.local("i32");
  forEachDeepOffset(strip, (offset, to) => {
    code.i32(0).set(place);
    code.loop(() => {
      code.get(to).get(place).i32(2).op("i32.shl").op("i32.add");
      pushPlace(strip, () => code.get(place));
      code.get(offset).op("i32.add").memory("f32.load").memory("f32.store");
      add(code, place, 1);
      code.get(place).i32(width).op("i32.lt_s").brIf(0);
    });
  });
}
