/** Packing: strips of an operand copied into panels that the micro-kernel reads straight through. */
import type { Callee, Code, Local, Module } from "./assembler.ts";
import { add } from "./gemm-arguments.ts";

/**
 * A packer: `pack(source, wideStride, deepStride, wide, deep, panels[, table])`, strides in bytes.
 *
 * The wide axis (rows of A, columns of B) is cut into strips of `width`; strip s becomes the panel [k][width]
 * at panels + s · panelBytes(deep). Places beyond `wide` hold anything finite or not: what is computed from
 * them is dropped.
 */
export type Packer = Callee;

/** k of a panel is rounded up to fours, so that packing by 4 × 4 blocks may overshoot. */
export const panelBytes = (width: number, deep: number): number => width * 4 * ((deep + 3) & ~3);

/** Pushes panelBytes(width, deep). */
export function pushPanelBytes(code: Code, width: number, deep: Local): Code {
  code.get(deep).i32(3).op("i32.add").i32(-4).op("i32.and");
  return code.i32(width * 4).op("i32.mul");
}

/** What the body of one panel works with; `count` of the strip's places are real. */
export interface Strip {
  readonly code: Code;
  readonly width: number;
  readonly source: Local;
  readonly wideStride: Local;
  readonly deepStride: Local;
  readonly count: Local;
  readonly deep: Local;
  readonly panel: Local;
}

/** Walks the strips of the wide axis; the panels are those of `depth` k, of which the strip shows `deep`. */
export function forEachStrip(
  code: Code,
  width: number,
  [source, wideStride, deepStride, wide, deep, panels]: readonly Local[],
  body: (strip: Strip) => void,
  depth: Local = deep,
): void {
  const count = code.local("i32");
  const bytes = code.local("i32");
  pushPanelBytes(code, width, depth).set(bytes);
  code.while(
    () => code.get(wide).i32(0).op("i32.gt_s"),
    () => {
      code.i32(width).get(wide).get(wide).i32(width).op("i32.gt_s").op("select").set(count);
      body({ code, width, source, wideStride, deepStride, count, deep, panel: panels });
      code.get(source).get(wideStride).i32(width).op("i32.mul").op("i32.add").set(source);
      add(code, panels, bytes);
      add(code, wide, -width);
    },
  );
}

/** Runs `body` for each k: `from` walks the source by the deep stride, `to` the panel. `step` k a turn. */
function forEachDeep(
  { code, width, source, deepStride, deep, panel }: Strip,
  body: (from: Local, to: Local) => void,
): void {
  const from = code.local("i32");
  const to = code.local("i32");
  const left = code.local("i32");
  code.get(source).set(from).get(panel).set(to).get(deep).set(left);
  code.while(
    () => code.get(left),
    () => {
      body(from, to);
      add(code, from, deepStride);
      add(code, to, width * 4);
      add(code, left, -1);
    },
  );
}

/** Any strides, any count: element by element, the last real one repeated. */
function packAny(strip: Strip, loadElement: (from: Local) => void): void {
  const { code, width, count, wideStride } = strip;
  const at = code.local("i32");
  const place = code.local("i32");
  forEachDeep(strip, (from, to) => {
    code.get(from).set(at).i32(0).set(place);
    code.loop(() => {
      code.get(to).get(place).i32(2).op("i32.shl").op("i32.add");
      loadElement(at);
      code.memory("f32.store");
      add(code, place, 1);
      code.get(place).get(count).op("i32.lt_s").if(() => add(code, at, wideStride));
      code.get(place).i32(width).op("i32.lt_s").brIf(0);
    });
  });
} // prettier-ignore

/**
 * Rows that are copied side by side. A strip that fills cache lines is copied all down at once. Of a narrower
 * one each line is needed again for the next strip: rows of a power of two fall into one set of the
 * first-level cache, so there are as many as a set has ways.
 */
const rowsAtOnce = (width: number): number => (width % 16 === 0 ? 256 : 8);

/** The wide axis is contiguous: copies, a few rows at a time through all strips. */
function packRows(code: Code, width: number, parameters: readonly Local[]): void {
  const [source, wideStride, deepStride, wide, deep, panels] = parameters;
  const atOnce = rowsAtOnce(width);
  const left = code.local("i32");
  const rows = code.local("i32");
  const [from, to, count] = [code.local("i32"), code.local("i32"), code.local("i32")];
  code.get(deep).set(left);
  code.while(
    () => code.get(left).i32(0).op("i32.gt_s"),
    () => {
      code.get(left).i32(atOnce).get(left).i32(atOnce).op("i32.lt_s").op("select").set(rows);
      code.get(source).set(from).get(panels).set(to).get(wide).set(count);
      const strips = [from, wideStride, deepStride, count, rows, to];
      forEachStrip(code, width, strips, (strip) => copyRows(strip), deep);
      code.get(source).get(deepStride).i32(atOnce).op("i32.mul").op("i32.add").set(source);
      add(code, panels, width * 4 * atOnce);
      add(code, left, -atOnce);
    },
  );
}

/** One strip of {@link packRows}. Reads past `count` stay inside the padding of a buffer. */
function copyRows(strip: Strip): void {
  const { code, width } = strip;
  const whole = Math.floor(width / 4);
  const rest = width % 4;
  const vectors = Array.from({ length: whole }, () => code.local("v128"));
  forEachDeep(strip, (from, to) => {
    vectors.forEach((v, i) =>
      code
        .get(from)
        .memory("v128.load", i * 16)
        .set(v),
    );
    vectors.forEach((v, i) =>
      code
        .get(to)
        .get(v)
        .memory("v128.store", i * 16),
    );
    for (let i = whole * 4; i < whole * 4 + rest; i++)
      code
        .get(to)
        .get(from)
        .memory("f32.load", i * 4)
        .memory("f32.store", i * 4);
  });
}

/** k is contiguous: 4 × 4 blocks, transposed in registers. */
function packTransposed(strip: Strip): void {
  for (let at = 0; at < strip.width;) {
    const size = strip.width - at >= 4 ? 4 : strip.width - at >= 2 ? 2 : 1;
    const repeat = size === 4 ? Math.floor((strip.width - at) / 4) : 1;
    transposeGroups(strip, at, size, repeat);
    at += size * repeat;
  }
}

/** Places at … at + size · repeat of a strip, `size` (4, 2 or 1) rows of the source at a time. */
function transposeGroups(strip: Strip, at: number, size: number, repeat: number): void {
  const { code, width, source, wideStride, count, deep, panel } = strip;
  const first = code.local("i32");
  const left = code.local("i32");
  const to = code.local("i32");
  const rows = Array.from({ length: size }, () => code.local("i32"));
  code.i32(at).set(first);
  code.loop(() => {
    rows.forEach((row, i) => {
      // min(first + i, count - 1): rows that do not exist repeat the last one.
      code.get(first).i32(i).op("i32.add").get(count).i32(1).op("i32.sub");
      code.get(first).i32(i).op("i32.add").get(count).op("i32.lt_s").op("select");
      code.get(wideStride).op("i32.mul").get(source).op("i32.add").set(row);
    });
    code.get(first).i32(2).op("i32.shl").get(panel).op("i32.add").set(to);
    code.get(deep).set(left);
    code.while(
      () => code.get(left).i32(0).op("i32.gt_s"),
      () => {
        transposeBlock(code, rows, to, width * 4);
        for (const row of rows) add(code, row, 16);
        add(code, to, width * 16);
        add(code, left, -4);
      },
    );
    add(code, first, size);
    code.get(first).i32(at + size * repeat).op("i32.lt_s").brIf(0); // prettier-ignore
  });
}

/** Four k of one, two or four rows. */
export function transposeBlock(code: Code, rows: readonly Local[], to: Local, pitch: number): void {
  const x = rows.map((row) => {
    const v = code.local("v128");
    code.get(row).memory("v128.load").set(v);
    return v;
  });
  const zip = (a: Local, b: Local, high: boolean): Local => {
    const v = code.local("v128");
    code.get(a).get(b);
    if (high) code.shuffle32(2, 6, 3, 7);
    else code.shuffle32(0, 4, 1, 5);
    code.set(v);
    return v;
  };
  if (rows.length === 1) {
    for (let k = 0; k < 4; k++)
      code
        .get(to)
        .get(x[0])
        .memoryLane("v128.store32_lane", k, k * pitch);
    return;
  }
  const low = zip(x[0], x[1], false);
  const high = zip(x[0], x[1], true);
  if (rows.length === 2) {
    [low, low, high, high].forEach((v, k) =>
      code
        .get(to)
        .get(v)
        .memoryLane("v128.store64_lane", k % 2, k * pitch),
    );
    return;
  }
  const low2 = zip(x[2], x[3], false);
  const high2 = zip(x[2], x[3], true);
  const halves: readonly [Local, Local][] = [[low, low2], [high, high2]]; // prettier-ignore
  halves.forEach(([a, b], i) => {
    code
      .get(to)
      .get(a)
      .get(b)
      .shuffle32(0, 1, 4, 5)
      .memory("v128.store", 2 * i * pitch);
    code
      .get(to)
      .get(a)
      .get(b)
      .shuffle32(2, 3, 6, 7)
      .memory("v128.store", (2 * i + 1) * pitch);
  });
}

/** Defines the packer of a float32 operand. */
export function definePack(module: Module, width: number): Packer {
  return module.function(["i32", "i32", "i32", "i32", "i32", "i32"], [], null, (code, ...parameters) => {
    const [, wideStride, deepStride] = parameters;
    code.get(wideStride).i32(4).op("i32.eq");
    code.if(() => {
      packRows(code, width, parameters);
      code.op("return");
    });
    forEachStrip(code, width, parameters, (strip) => {
      code.get(deepStride).i32(4).op("i32.eq");
      code.if(
        () => packTransposed(strip),
        () => packAny(strip, (from) => code.get(from).memory("f32.load")),
      );
    });
  });
}

/** Defines the packer of a coded operand; its seventh parameter is the table of 256 values. */
export function definePackCoded(module: Module, width: number): Packer {
  return module.function(
    ["i32", "i32", "i32", "i32", "i32", "i32", "i32"],
    [],
    null,
    (code, ...parameters) => {
      const table = parameters[6];
      const value = (from: Local, offset: number): Code =>
        code
          .get(from)
          .memory("i32.load8_u", offset)
          .i32(2)
          .op("i32.shl")
          .get(table)
          .op("i32.add")
          .memory("f32.load");
      forEachStrip(code, width, parameters, (strip) => {
        code.get(strip.count).i32(width).op("i32.lt_s");
        code.if(
          () => packAny(strip, (from) => value(from, 0)),
          () => {
            code.get(strip.wideStride).i32(1).op("i32.eq");
            code.if(
              () => packCodes(strip, (from, i) => value(from, i)),
              () => packCodes(strip, (from) => value(from, 0), true),
            );
          },
        );
      });
    },
  );
}

/** A whole strip of codes, one k a turn. */
function packCodes(strip: Strip, value: (from: Local, i: number) => void, stepping = false): void {
  const { code, width, wideStride } = strip;
  const at = code.local("i32");
  forEachDeep(strip, (from, to) => {
    code.get(from).set(at);
    for (let i = 0; i < width; i++) {
      code.get(to);
      value(at, i);
      code.memory("f32.store", i * 4);
      if (stepping) add(code, at, wideStride);
    }
  });
}
