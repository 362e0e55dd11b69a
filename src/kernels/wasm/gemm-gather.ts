/** Packing of gathered operands: places by two tables of offsets, one for each axis. */
import type { Code, Local, Module } from "./assembler.ts";
import { add } from "./gemm-arguments.ts";
import { pushPanelBytes, transposeBlock, type Packer } from "./gemm-pack.ts";

/** What the body of a strip works with: tables in bytes, offsets in elements; `count` places are real. */
interface GatheredStrip {
  readonly code: Code;
  readonly width: number;
  readonly source: Local;
  /** Offsets of the strip's first place and of the first k. */
  readonly wideAt: Local;
  readonly deepAt: Local;
  readonly count: Local;
  readonly deep: Local;
  readonly panel: Local;
}

/**
 * Defines the packer `pack(source, wideAt, deepAt, wide, deep, panels, quads)` of a gathered operand: element (w, d) is the
 * float at source + 4 (wideAt[w] + deepAt[d]). The panels are those of `gemm-pack.ts`.
 *
 * @param columns  the axis along which offsets come in fours where `quads` is set: "deep" for A, "wide" for B.
 */
export function definePackGathered(module: Module, width: number, columns: "wide" | "deep"): Packer {
  const parameters = Array.from({ length: 7 }, () => "i32" as const);
  return module.function(parameters, [], null, (code, source, wideAt, deepAt, wide, deep, panels, quads) => {
    const count = code.local("i32");
    const bytes = code.local("i32");
    const strip = { code, width, source, wideAt, deepAt, count, deep, panel: panels };
    pushPanelBytes(code, width, deep).set(bytes);
    code.while(
      () => code.get(wide).i32(0).op("i32.gt_s"),
      () => {
        code.i32(width).get(wide).get(wide).i32(width).op("i32.gt_s").op("select").set(count);
        code.get(quads).if(
          () => (columns === "deep" ? packDeepQuads(strip) : packWideQuads(strip)),
          () => packSingly(strip),
        );
        add(code, wideAt, width * 4);
        add(code, panels, bytes);
        add(code, wide, -width);
      },
    );
  });
}

/** Pushes source + 4 · the offset of place `place`, those past the last real one repeating it. */
function pushPlace(
  { code, source, wideAt, count }: GatheredStrip,
  place: (code: Code) => Code,
  step = 1,
): Code {
  const last = (): Code => code.get(count).i32(step).op("i32.sub");
  place(code);
  last();
  place(code);
  last().op("i32.lt_s").op("select");
  code.i32(2).op("i32.shl").get(wideAt).op("i32.add").memory("i32.load");
  return code.i32(2).op("i32.shl").get(source).op("i32.add");
}

/** Runs `body` for every `step` k: `offset` is the bytes that the deep axis adds, `to` walks the panel. */
function forEachDeepOffset(
  { code, width, deepAt, deep, panel }: GatheredStrip,
  step: number,
  body: (offset: Local, to: Local) => void,
  skip = 0,
): void {
  const [offset, to, at, left] = Array.from({ length: 4 }, () => code.local("i32"));
  code.get(panel).i32(skip * 4).op("i32.add").set(to);
  code.get(deepAt).set(at).get(deep).set(left);
  code.while(
    () => code.get(left).i32(0).op("i32.gt_s"),
    () => {
      code.get(at).memory("i32.load").i32(2).op("i32.shl").set(offset);
      body(offset, to);
      add(code, at, step * 4);
      add(code, to, width * 4 * step);
      add(code, left, -step);
    },
  );
} // prettier-ignore

/** Four k are adjacent: blocks of up to four places, transposed in registers. */
function packDeepQuads(strip: GatheredStrip): void {
  const { code, width } = strip;
  for (let first = 0; first < width;) {
    const size = width - first >= 4 ? 4 : width - first >= 2 ? 2 : 1;
    const rows = Array.from({ length: size }, () => code.local("i32"));
    const places = Array.from({ length: size }, () => code.local("i32"));
    rows.forEach((row, i) => pushPlace(strip, () => code.i32(first + i)).set(row));
    const body = (offset: Local, to: Local): void => {
      places.forEach((place, i) => code.get(rows[i]).get(offset).op("i32.add").set(place));
      transposeBlock(code, places, to, width * 4);
    };
    forEachDeepOffset(strip, 4, body, first);
    first += size;
  }
}

/** Four places are adjacent: copies of vectors. Strips are multiples of four wide. */
function packWideQuads(strip: GatheredStrip): void {
  const { code, width } = strip;
  const groups = Array.from({ length: width / 4 }, () => code.local("i32"));
  const vectors = groups.map(() => code.local("v128"));
  groups.forEach((group, i) => pushPlace(strip, () => code.i32(i * 4), 4).set(group));
  forEachDeepOffset(strip, 1, (offset, to) => {
    groups.forEach((group, i) =>
      code.get(group).get(offset).op("i32.add").memory("v128.load").set(vectors[i]),
    );
    vectors.forEach((vector, i) => code.get(to).get(vector).memory("v128.store", i * 16));
  });
} // prettier-ignore

/** Element by element. */
function packSingly(strip: GatheredStrip): void {
  const { code, width } = strip;
  const place = code.local("i32");
  forEachDeepOffset(strip, 1, (offset, to) => {
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
