/** Average pooling of images, and the average of whole images. */
import { gather } from "../kernels/gather.ts";
import { gemm } from "../kernels/gemm.ts";
import { f32, select } from "../kernels/program.ts";
import { element, gathered, output, perRow } from "../kernels/signature.ts";
import { constantRow } from "../tensor/constants.ts";
import { expectShape, type Tensor } from "../tensor/tensor.ts";
import { pixelsOf, type ImageShape } from "./conv-geometry.ts";
import { chain, poolGeometry, poolTables, type Lookup, type PoolOptions } from "./pool-windows.ts";

export { maxPool, rectifiedMaxPool } from "./max-pool.ts";
export { poolShape, type PoolOptions } from "./pool-windows.ts";

const addScaled = gather(
  "add scaled rows",
  "gather",
  { source: gathered("f32"), keep: perRow("f32"), before: element("f32") },
  { share: "f32" },
  ({ source, keep, before, share }) =>
    output("f32", before.add(select(keep.ne(0), source.mul(share), f32(0)))),
);

const zeros = gather("zeros", "gather", { keep: perRow("f32") }, {}, ({ keep }) =>
  output("f32", keep.mul(0)),
);
/**
 *   y[n, oy, ox, c] = Σ over the window of x / places of the window;   zeros of the padding count
 *
 * @param x      [batch · height · width, channels]
 * @returns      [batch · output height · output width, channels]
 */
export function averagePool(x: Tensor, shape: ImageShape, options: PoolOptions): Tensor {
  const { device } = x;
  const geometry = poolGeometry(x, shape, options);
  const { taps, covers } = poolTables(device, geometry);
  const share = { share: 1 / taps.length };
  const sum = (source: Tensor, tables: readonly Lookup[], out: readonly number[]): Tensor =>
    chain(
      { kernel: zeros, table: tables[0], inputs: {} },
      { kernel: addScaled, tables, inputs: { source } },
      { rows: out[0], columns: out[1] },
      () => device.empty(out),
      share,
    );
  const y = sum(x, taps, [pixelsOf(geometry.output), shape.channels]);
  return device.tape.record([x], y, [], (dy) => [sum(dy, covers, x.shape)], []);
}

const weighted = gemm("average of images", "f32", "f32");

/**
 *   y[n, c] = mean over the pixels of image n of x[·, c]
 *
 * @param x  [batch · height · width, channels]
 * @returns  [batch, channels]
 */
export function globalAveragePool(x: Tensor, shape: ImageShape): Tensor {
  expectShape("globalAveragePool", x, pixelsOf(shape), shape.channels);
  const { device } = x;
  const { batch, channels } = shape;
  const pixels = shape.height * shape.width;
  const share = constantRow(device, 1 / pixels, pixels);
  const y = device.empty([batch, channels]);
  device.run(weighted, {
    inputs: { a: share, b: x },
    outputs: { c: y },
    sizes: {
      outer: batch,
      m: 1,
      n: channels,
      k: pixels,
      a: { row: pixels, column: 1 },
      b: { outer: pixels * channels, row: channels, column: 1 },
      c: { outer: channels, row: channels },
    },
  });
  return device.tape.record(
    [x],
    y,
    [],
    (dy) => {
      const dx = device.empty(x.shape);
      device.run(weighted, {
        inputs: { a: share, b: dy },
        outputs: { c: dx },
        sizes: {
          outer: batch,
          m: pixels,
          n: channels,
          k: 1,
          a: { row: 1, column: 1 },
          b: { outer: channels, row: channels, column: 1 },
          c: { outer: pixels * channels, row: channels },
        },
      });
      return [dx];
    },
    [],
  );
}
