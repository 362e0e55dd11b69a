/** Average pooling of images, and the average of whole images. */
import { gather } from "../kernels/gather.ts";
import { gemm } from "../kernels/gemm.ts";
import { f32, select } from "../kernels/program.ts";
import { pointwise } from "../kernels/pointwise.ts";
import { element, gathered, output, perRow } from "../kernels/signature.ts";
import { constantRow, constantTensor } from "../tensor/constants.ts";
import { expectShape, type Tensor } from "../tensor/tensor.ts";
import { pixelsOf, type ConvGeometry, type ImageShape } from "./conv-geometry.ts";
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

const scaleRows = pointwise(
  "scale rows",
  { x: element("f32"), share: perRow("f32") },
  {},
  ({ x, share }) => ({
    y: output("f32", x.mul(share)),
  }),
);

export interface AveragePoolOptions extends PoolOptions {
  /**
   * Whether zeros of the padding count as places. Default true, PyTorch's; TensorFlow's do not, by which a window at the edge
   * averages what it has inside the image.
   */
  readonly countsPadding?: boolean;
}

/** Of places that a window has inside the image the inverse: [windows]. */
function sharesInside({ input, output: out, kernel, stride, padding }: ConvGeometry): Float32Array {
  const inside = (window: number, axis: 0 | 1, size: number): number => {
    const first = window * stride - padding[axis];
    return Math.max(0, Math.min(size, first + kernel[axis]) - Math.max(0, first));
  };
  return Float32Array.from({ length: pixelsOf(out) }, (_, i) => {
    const [row, column] = [Math.floor(i / out.width) % out.height, i % out.width];
    return 1 / Math.max(1, inside(row, 0, input.height) * inside(column, 1, input.width));
  });
}

/**
 *   y[n, oy, ox, c] = Σ over the window of x / places of the window
 *
 * @param x      [batch · height · width, channels]
 * @returns      [batch · output height · output width, channels]
 */
export function averagePool(x: Tensor, shape: ImageShape, options: AveragePoolOptions): Tensor {
  const { device } = x;
  const geometry = poolGeometry(x, shape, options);
  const { taps, covers } = poolTables(device, geometry);
  const counts = (options.countsPadding ?? true) || geometry.padding.every((around) => around === 0);
  const share = { share: counts ? 1 / taps.length : 1 };
  const sum = (source: Tensor, tables: readonly Lookup[], out: readonly number[]): Tensor =>
    chain(
      { kernel: zeros, table: tables[0], inputs: {} },
      { kernel: addScaled, tables, inputs: { source } },
      { rows: out[0], columns: out[1] },
      () => device.empty(out),
      share,
    );
  const y = sum(x, taps, [pixelsOf(geometry.output), shape.channels]);
  if (counts) return device.tape.record([x], y, [], (dy) => [sum(dy, covers, x.shape)], []);
  const key = `shares of ${JSON.stringify([geometry.input, geometry.kernel, geometry.stride, geometry.padding])}`;
  const shares = constantTensor(device, key, () => sharesInside(geometry));
  const weigh = (rows: Tensor, to: Tensor): Tensor => {
    const sizes = { rows: rows.shape[0], columns: rows.shape[1] };
    device.run(scaleRows, { inputs: { x: rows, share: shares }, outputs: { y: to }, sizes });
    return to;
  };
  const vjp = (dy: Tensor): [Tensor] => {
    const weighed = weigh(dy, device.empty(dy.shape));
    const dx = sum(weighed, covers, x.shape);
    device.free(weighed);
    return [dx];
  };
  return device.tape.record([x], weigh(y, y), [], vjp, []);
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
