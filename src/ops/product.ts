/** Matrix products of tensors in any encoding: what linear layers are made of. */
import { decodeTable } from "../kernels/codec.ts";
import { gemm, type GemmKernel, type GemmOperand, type GemmStrides } from "../kernels/gemm.ts";
import { pointwise } from "../kernels/pointwise.ts";
import { element, output, perColumn } from "../kernels/signature.ts";
import type { ScalarFormat } from "../formats/format.ts";
import type { Device } from "../tensor/device.ts";
import { expectShape, isBlocked, isCoded, partsOf, ShapeError, type Tensor } from "../tensor/tensor.ts";
import type { TensorPrecision } from "../precision/policy.ts";
import { blockProduct, roundsWhilePacking, type PackedRounding } from "./block-product.ts";
import { dependsOnAxis } from "./operand.ts";
import { unpacked } from "./pack.ts";
import { blocksOf, dequantise } from "./quantise.ts";
import { quantiseBlocks } from "./quantise-blocks.ts";

export { roundsWhilePacking, type PackedRounding } from "./block-product.ts";

/** The blocks of a precision, where products can round to them while they pack; null where they cannot, or it has none. */
export function packedRounding(precision: TensorPrecision | null): PackedRounding | null {
  const format = precision && dependsOnAxis(precision) ? blocksOf(precision) : null;
  if (!precision || !format) return null;
  const { rounding } = precision;
  return roundsWhilePacking(format, rounding) ? { format, rounding } : null;
}

/** A matrix [rows, columns], read as it lies or transposed. */
export interface Side {
  readonly tensor: Tensor;
  readonly transposed: boolean;
  /** Rounds a float32 tensor to blocks along the product's sum while it is packed: see {@link roundsWhilePacking}. */
  readonly blocks?: PackedRounding;
}

const kernels = new Map<string, GemmKernel>();

function kernelOf(a: GemmOperand, b: GemmOperand, biased: boolean): GemmKernel {
  const key = `product ${a} ${b}${biased ? " bias" : ""}`;
  const known = kernels.get(key);
  if (known) return known;
  const kernel = biased
    ? gemm(key, a, b, { bias: perColumn("f32") }, {}, (p, { bias }) => ({ c: output("f32", p.add(bias)) }))
    : gemm(key, a, b);
  kernels.set(key, kernel);
  return kernel;
}

const addTo = pointwise("add product", { c: element("f32"), term: element("f32") }, {}, ({ c, term }) => ({
  c: output("f32", c.add(term)),
}));

const tables = new WeakMap<Device, Map<ScalarFormat, Tensor>>();

/** The values of a format's codes at scale 1, on the device, made once. */
export function tableOf(device: Device, format: ScalarFormat): Tensor {
  const ofDevice = tables.get(device) ?? new Map<ScalarFormat, Tensor>();
  tables.set(device, ofDevice);
  const table = ofDevice.get(format) ?? device.keep(device.tensor(decodeTable(format), [256]));
  ofDevice.set(format, table);
  return table;
}

function stridesOf({ tensor, transposed }: Side): GemmStrides {
  const columns = tensor.shape[1];
  const lies = transposed ? { row: 1, column: columns } : { row: columns, column: 1 };
  const axis = isCoded(tensor) ? tensor.encoding.scaleAxis : null;
  if (axis === null) return lies;
  const alongRows = (axis === 0) !== transposed;
  return { ...lies, scaleRow: alongRows ? 1 : 0, scaleColumn: alongRows ? 0 : 1 };
}

function inputsOf(name: "a" | "b", tensor: Tensor): Record<string, Tensor> {
  if (!isCoded(tensor)) return { [name]: tensor };
  const { format, scale } = tensor.encoding;
  return { [name]: tensor, [`${name}Table`]: tableOf(tensor.device, format), [`${name}Scale`]: scale };
}

/** A side as `gemm` reads it: float32, or byte codes with scales for rows or columns; other codes are decoded. */
function readable({ tensor, transposed }: Side): Side {
  const wide = isCoded(tensor) && tensor.encoding.format.bits > 8;
  return { tensor: wide || isBlocked(tensor) ? dequantise(tensor) : tensor, transposed };
}

/** A side that asks for blocks, rounded to them beforehand; any other as it is. */
function roundedBefore(side: Side, axis: 0 | 1): Side {
  const { tensor, transposed, blocks } = side;
  if (!blocks || tensor.encoding.kind !== "float32") return side;
  const along = transposed ? (axis === 1 ? 0 : 1) : axis;
  return { tensor: quantiseBlocks(tensor, blocks.format, blocks.rounding, along, [0, 0]), transposed };
}

/**
 *   C = A·B (+ bias to each row)
 *
 * Each side is in any encoding. Blocks along the sum and codes of at most 8 bits are decoded while panels are packed, never
 * as a whole; wider codes, and blocks across the sum or beside codes with other scales, are decoded into the step's
 * memory before. Packed codes are unpacked there.
 *
 * @param bias  [n] or null
 * @returns [m, n] float32, not recorded on the tape.
 * @throws ShapeError when the inner sizes differ.
 */
export function product(left: Side, right: Side, bias: Tensor | null = null): Tensor {
  const [m, k] = shapeOf(left);
  const [inner, n] = shapeOf(right);
  if (k !== inner) throw new ShapeError(`logrung: product of [${m}, ${k}] and [${inner}, ${n}]`);
  const c = left.tensor.device.empty([m, n]);
  multiply(left, right, bias, c, { m, n, k, accumulate: false });
  return c;
}

/**
 *   C ← C + A·B
 *
 * @param c  [m, n] float32
 * @throws ShapeError when the sizes do not fit.
 */
export function addProduct(c: Tensor, left: Side, right: Side): void {
  const [m, k] = shapeOf(left);
  const [inner, n] = shapeOf(right);
  expectShape("addProduct", c, m, n);
  if (k !== inner) throw new ShapeError(`logrung: product of [${m}, ${k}] and [${inner}, ${n}]`);
  if (![left, right].some(({ tensor }) => isBlocked(tensor) && tensor.encoding.tensorScale !== null)) {
    multiply(left, right, null, c, { m, n, k, accumulate: true });
    return;
  }
  // A scale of the whole tensor is multiplied in after the sum, which then cannot go on from another one.
  const term = product(left, right);
  c.device.run(addTo, { inputs: { c, term }, outputs: {}, sizes: { rows: m, columns: n } });
  c.device.free(term);
}

interface ProductSizes {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  /** Adds to what C holds; only without a bias and scales of whole tensors. */
  readonly accumulate: boolean;
}

function multiply(left: Side, right: Side, bias: Tensor | null, c: Tensor, sizes: ProductSizes): void {
  const { device } = c;
  const a = { ...left, tensor: unpacked(left.tensor) };
  const b = { ...right, tensor: unpacked(right.tensor) };
  if (!blockProduct(a, b, bias, c, sizes)) decodedProduct(a, b, bias, c, sizes);
  if (a.tensor !== left.tensor) device.free(a.tensor);
  if (b.tensor !== right.tensor) device.free(b.tensor);
}

/**
 * A tensor that several products are to read: what each would unpack or decode as a whole for itself is so once, in new
 * memory. Any other is returned as it is.
 */
export function readied(x: Tensor): Tensor {
  const format = isCoded(x) ? x.encoding.format : isBlocked(x) ? x.encoding.format.element : null;
  return format !== null && format.bits > 8 ? dequantise(x) : unpacked(x);
}

/** By `gemm`, which knows no blocks. */
function decodedProduct(
  left: Side,
  right: Side,
  bias: Tensor | null,
  c: Tensor,
  { m, n, k, accumulate }: ProductSizes,
): void {
  const { device } = c;
  const rounded = [roundedBefore(left, 1), roundedBefore(right, 0)] as const;
  const [a, b] = [readable(rounded[0]), readable(rounded[1])];
  const kind = (side: Side): GemmOperand => (isCoded(side.tensor) ? "coded" : "f32");
  device.run(kernelOf(kind(a), kind(b), bias !== null), {
    inputs: { ...inputsOf("a", a.tensor), ...inputsOf("b", b.tensor), ...(bias ? { bias } : {}) },
    outputs: { c },
    sizes: { m, n, k, a: stridesOf(a), b: stridesOf(b), c: { row: n }, accumulate },
  });
  for (const [i, side] of [left, right].entries()) {
    const made = rounded[i].tensor;
    const read = (i === 0 ? a : b).tensor;
    if (read !== made) device.free(read);
    if (made !== side.tensor) for (const part of partsOf(made)) device.free(part);
  }
}

function shapeOf({ tensor, transposed }: Side): readonly [number, number] {
  const [rows, columns] = tensor.shape;
  return transposed ? [columns, rows] : [rows, columns];
}
