/** Scales of a coded operand, multiplied into its packed panels. */
import type { Callee, Code, Local, Module } from "./assembler.ts";
import { add } from "./gemm-arguments.ts";
import { forEachStrip, type Strip } from "./gemm-pack.ts";

/** Bytes of working memory that `scale` wants. */
export const scaleBytes = (width: number): number => width * 16 + 16;

/**
 * Defines `scale(panels, wide, deep, scales, wideStride, deepStride, pattern)`: multiplies packed panels by
 * their scales, one per row, per column or per element. Four k share a `pattern` of 4 · width factors; it is
 * written once a strip when the scale does not depend on k.
 */
export function defineScale(module: Module, width: number): Callee {
  return module.function(
    ["i32", "i32", "i32", "i32", "i32", "i32", "i32"],
    [],
    null,
    (code, panels, wide, deep, scales, wideStride, deepStride, pattern) => {
      const fresh = code.local("i32");
      forEachStrip(code, width, [scales, wideStride, deepStride, wide, deep, panels], (strip) => {
        const from = code.local("i32");
        const to = code.local("i32");
        const left = code.local("i32");
        code.get(strip.source).set(from).get(strip.panel).set(to).get(deep).set(left).i32(1).set(fresh);
        code.while(
          () => code.get(left).i32(0).op("i32.gt_s"),
          () => {
            code.get(fresh).if(() => writePattern(strip, from, left, pattern));
            code.get(deepStride).set(fresh);
            multiplyPattern(code, width, to, pattern);
            add(code, to, width * 16);
            add(code, left, -4);
          },
        );
      });
    },
  );
}

/**
 * Factors of four k; `from` moves on to the next four. Past the end of the deep axis the last ones are
 * repeated.
 */
function writePattern(strip: Strip, from: Local, left: Local, pattern: Local): void {
  const { code, width, wideStride, deepStride, count } = strip;
  const at = code.local("i32");
  const place = code.local("i32");
  const v = code.local("v128");
  for (let k = 0; k < 4; k++) {
    code.get(wideStride).op("i32.eqz");
    code.if(
      () => {
        code.get(from).memory("v128.load32_splat").set(v);
        for (let i = 0; i < width; i += 4) code.get(pattern).get(v).memory("v128.store", (k * width + i) * 4);
      },
      () => {
        code.get(from).set(at).i32(0).set(place);
        code.loop(() => {
          code.get(place).i32(2).op("i32.shl").get(pattern).op("i32.add");
          code.get(at).memory("f32.load").memory("f32.store", k * width * 4);
          add(code, place, 1);
          code.get(place).get(count).op("i32.lt_s").if(() => add(code, at, wideStride));
          code.get(place).i32(width).op("i32.lt_s").brIf(0);
        });
      },
    );
    code.get(left).i32(k + 1).op("i32.gt_s").if(() => add(code, from, deepStride));
  }
} // prettier-ignore

/** panel[4 k] *= pattern */
function multiplyPattern(code: Code, width: number, panel: Local, pattern: Local): void {
  for (let i = 0; i < width; i++)
    code
      .get(panel)
      .get(panel)
      .memory("v128.load", i * 16)
      .get(pattern)
      .memory("v128.load", i * 16)
      .op("f32x4.mul")
      .memory("v128.store", i * 16);
}
