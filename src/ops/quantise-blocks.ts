/** Matrices into blocks with shared scales and back. */
import type { BlockFormat } from "../formats/block-format.ts";
import type { Rounding } from "../formats/format.ts";
import { codeStorage, decodeValue } from "../kernels/codec.ts";
import {
  blockDivisor,
  blockElement,
  blockScaleCode,
  blockScaleValue,
  magnitude,
} from "../kernels/codec/block.ts";
import { columns } from "../kernels/columns.ts";
import { pointwise } from "../kernels/pointwise.ts";
import { index, lookup, select, storageBytes, u32, type Value } from "../kernels/program.ts";
import { randomBits } from "../kernels/random.ts";
import { rows } from "../kernels/rows.ts";
import { element, output, perBlock, perRow, scalar, table } from "../kernels/signature.ts";
import type { Key } from "../random/stream.ts";
import {
  codesShape,
  matrixShape,
  sizeOf,
  viewAs,
  type BlockedEncoding,
  type BlockedTensor,
  type Tensor,
} from "../tensor/tensor.ts";
import { largestOver, unitScale } from "./scale.ts";

const kernels = new Map<string, unknown>();

function remembered<K>(name: string, make: (name: string) => K): K {
  const known = kernels.get(name) ?? make(name);
  kernels.set(name, known);
  return known as K;
}

const described = ({ name, block, scaleRule }: BlockFormat): string => `${name} ${block} ${scaleRule}`;

/** The tensor's scale as an input, for formats that have one. */
const scaleInput = ({ tensorScale }: BlockFormat) => (tensorScale ? { tensorScale: scalar("f32") } : {});
const scaleIn = (scope: Readonly<Record<string, Value>>): Value | null => scope.tensorScale ?? null;

const keys = { key0: "u32", key1: "u32", first: "u32" } as const;

/** Random bits of the code at `index()`, counted from `first` on. */
const bitsIn = (rounding: Rounding, scope: Readonly<Record<string, Value>>): Value | undefined =>
  rounding === "stochastic" ? randomBits(index().add(scope.first), scope.key0, scope.key1) : undefined;

/** Blocks that lie one after another, each a row. */
const rowBlocks = (format: BlockFormat, rounding: Rounding) =>
  remembered(`quantise ${described(format)} ${rounding}`, (name) =>
    rows(name, { x: element("f32"), ...scaleInput(format) }, keys, (program) => {
      const scope: Readonly<Record<string, Value>> = program.scope;
      const top = program.reduce("top", "max", magnitude(scope.x));
      const code = blockScaleCode(format, top, scaleIn(scope));
      const divisor = blockDivisor(format, code, scaleIn(scope));
      const y = blockElement(format, scope.x, divisor, rounding, bitsIn(rounding, scope));
      program.store({ y: output(codeStorage(format.element), y) });
      program.perRow.scale = output("u8", code);
    }),
  );

/** Scales of blocks that run down the columns, and what elements are divided by. */
const columnScales = (format: BlockFormat) =>
  remembered(`scales ${described(format)}`, (name) =>
    columns(
      name,
      { x: element("f32"), ...scaleInput(format) },
      {},
      ({ x }) => ({ top: { op: "max", value: magnitude(x) } }),
      (scope, { top }) => {
        const code = blockScaleCode(format, top, scaleIn(scope));
        const divisor = blockDivisor(format, code, scaleIn(scope));
        return { scale: output("u8", code), divisor: output("f32", divisor) };
      },
    ),
  );

const columnBlocks = (format: BlockFormat, rounding: Rounding) =>
  remembered(`quantise columns ${described(format)} ${rounding}`, (name) =>
    pointwise(name, { x: element("f32"), divisor: perBlock("f32") }, keys, (scope) => {
      const y = blockElement(format, scope.x, scope.divisor, rounding, bitsIn(rounding, scope));
      return { y: output(codeStorage(format.element), y) };
    }),
  );

const rowValues = (format: BlockFormat) =>
  remembered(`dequantise ${described(format)}`, (name) => {
    const inputs = { x: element(codeStorage(format.element)), scale: perRow("u8"), ...scaleInput(format) };
    return pointwise(name, inputs, {}, (scope) => {
      const scale = blockScaleValue(format, scope.scale, scaleIn(scope));
      return { y: output("f32", decodeValue(format.element, scope.x).mul(scale)) };
    });
  });

const columnValues = (format: BlockFormat) =>
  remembered(`dequantise columns ${described(format)}`, (name) => {
    const inputs = { x: element(codeStorage(format.element)), scale: perBlock("u8"), ...scaleInput(format) };
    return pointwise(name, inputs, {}, (scope) => {
      const scale = blockScaleValue(format, scope.scale, scaleIn(scope));
      return { y: output("f32", decodeValue(format.element, scope.x).mul(scale)) };
    });
  });

/** Rows of another width: cut off, or filled up with zeros. */
const resized = pointwise("resize rows", { x: table("f32") }, { width: "u32" }, ({ width }) => {
  const column = index("column");
  const at = index("row")
    .mul(width)
    .add(column.min(width.sub(1)));
  return { y: output("f32", select(column.lt(width), lookup("x", "f32", at), 0)) };
});

const zeroBytes = pointwise("zero bytes", {}, {}, () => ({ y: output("u8", u32(0)) }));

function resize(x: Tensor, columnsWanted: number): Tensor {
  const [height, width] = matrixShape(x.shape);
  const y = x.device.empty([height, columnsWanted]);
  const sizes = { rows: height, columns: columnsWanted };
  x.device.run(resized, { inputs: { x }, outputs: { y }, uniforms: { width }, sizes });
  return y;
}

/**
 * Quantises a matrix [r, c] in blocks of neighbours along an axis; the last block is filled up with zeros where the
 * block size does not divide. Each block's codes equal `quantiseBlock` bit for bit.
 *
 * @param axis  1: blocks within a row, for products that sum over columns; 0: down the columns.
 * @param key   random key; random bits go by the code's place in memory. Used by stochastic rounding alone.
 */
export function quantiseBlocks(
  x: Tensor,
  format: BlockFormat,
  rounding: Rounding,
  axis: 0 | 1,
  key: Key,
): BlockedTensor {
  const { device } = x;
  const top = format.element.info.max * format.scale.info.max;
  const tensorScale = format.tensorScale ? largestOver(x, top) : null;
  const scale = tensorScale ?? unitScale(device);
  const codes = { kind: "coded", format: format.scale, scale, scaleAxis: null, packed: false } as const;
  const [height, width] = matrixShape(x.shape);
  const blocks = (size: number): number => Math.ceil(size / format.block);
  const scales = device.empty(axis === 1 ? [height, blocks(width)] : [blocks(height), width], codes);
  const encoding = { kind: "blocked", format, axis, scales, tensorScale, packed: false } as const;
  const y = { ...device.empty(x.shape, encoding), encoding };
  const job = { x, y, rounding, key };
  if (axis === 1) quantiseRows(job);
  else quantiseColumns(job);
  return y;
}

interface Job {
  readonly x: Tensor;
  readonly y: BlockedTensor;
  readonly rounding: Rounding;
  readonly key: Key;
}

const uniformsOf = ([key0, key1]: Key, first: number) => ({ key0, key1, first });

const scaleOfTensor = ({ tensorScale }: BlockedEncoding) => (tensorScale ? { tensorScale } : {});

function quantiseRows({ x, y, rounding, key }: Job): void {
  const { device } = x;
  const { format, scales } = y.encoding;
  const [height, width] = codesShape(y.encoding, x.shape);
  const filled = width === matrixShape(x.shape)[1] ? x : resize(x, width);
  device.run(rowBlocks(format, rounding), {
    inputs: { x: filled, ...scaleOfTensor(y.encoding) },
    outputs: { y, scale: scales },
    uniforms: uniformsOf(key, 0),
    sizes: { rows: (height * width) / format.block, columns: format.block },
  });
  if (filled !== x) device.free(filled);
}

function quantiseColumns({ x, y, rounding, key }: Job): void {
  const { device } = x;
  const { format, scales } = y.encoding;
  const divisor = device.empty(scales.shape);
  for (const { sizes, at, block } of stretches(y)) {
    const bytes = storageBytes[codeStorage(format.element)];
    const from = x.storage.slice(4 * at);
    const divisors = divisor.storage.slice(4 * block);
    device.run(columnScales(format), {
      inputs: { x: from, ...scaleOfTensor(y.encoding) },
      outputs: { scale: scales.storage.slice(block), divisor: divisors },
      sizes,
    });
    device.run(columnBlocks(format, rounding), {
      inputs: { x: from, divisor: divisors },
      outputs: { y: y.storage.slice(bytes * at) },
      uniforms: uniformsOf(key, at),
      sizes,
    });
  }
  fillUp(y);
  device.free(divisor);
}

/** Blocks down the columns: the whole ones in one stretch, and what is left of the last. */
function stretches({ shape, encoding: { format } }: BlockedTensor) {
  const [height, width] = matrixShape(shape);
  const outer = Math.floor(height / format.block);
  const left = height - outer * format.block;
  return [
    { sizes: { outer, rows: format.block, columns: width }, at: 0, block: 0 },
    {
      sizes: { outer: 1, rows: left, columns: width },
      at: outer * format.block * width,
      block: outer * width,
    },
  ].filter(({ sizes }) => sizes.outer * sizes.rows > 0);
}

/** Codes of 0 below the last row, up to the end of its block. */
function fillUp(y: BlockedTensor): void {
  const bytes = storageBytes[codeStorage(y.encoding.format.element)];
  const from = bytes * sizeOf(y.shape);
  const count = bytes * sizeOf(codesShape(y.encoding, y.shape)) - from;
  if (count === 0) return;
  const sizes = { rows: 1, columns: count };
  y.device.run(zeroBytes, { inputs: {}, outputs: { y: y.storage.slice(from) }, sizes });
}

/** The float32 values of a blocked tensor whose codes lie unpacked. */
export function dequantiseBlocks(x: BlockedTensor): Tensor {
  const { axis, format, scales } = x.encoding;
  const { device } = x;
  if (axis === 0) {
    const y = device.empty(x.shape);
    for (const { sizes, at, block } of stretches(x)) {
      const bytes = storageBytes[codeStorage(format.element)];
      const codes = { x: x.storage.slice(bytes * at), scale: scales.storage.slice(block) };
      const inputs = { ...codes, ...scaleOfTensor(x.encoding) };
      device.run(columnValues(format), { inputs, outputs: { y: y.storage.slice(4 * at) }, sizes });
    }
    return y;
  }
  const [height, width] = codesShape(x.encoding, x.shape);
  const whole = matrixShape(x.shape)[1] === width;
  const filled = device.empty(whole ? x.shape : [height, width]);
  device.run(rowValues(format), {
    inputs: { x, scale: scales, ...scaleOfTensor(x.encoding) },
    outputs: { y: filled },
    sizes: { rows: (height * width) / format.block, columns: format.block },
  });
  if (whole) return filled;
  const y = viewAs(resize(filled, matrixShape(x.shape)[1]), x.shape);
  device.free(filled);
  return y;
}
