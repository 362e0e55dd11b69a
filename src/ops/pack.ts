/** Packed codes on the device: for what is kept, between steps and until the backward pass. */
import { pointwise } from "../kernels/pointwise.ts";
import { element, output } from "../kernels/signature.ts";
import type { Value } from "../kernels/program.ts";
import { lowPlaneBytes, packedBits } from "../tensor/packing.ts";
import { codesShape, ShapeError, sizeOf, type Tensor } from "../tensor/tensor.ts";

/** Four codes, one in each byte of a word. */
const codes = element("u32");

/** The low halves of four bytes, together in 16 bits. */
function gatherNibbles(word: Value): Value {
  const pairs = word.and(0x0f0f0f0f);
  const bytes = pairs.or(pairs.shr(4)).and(0x00ff00ff);
  return bytes.or(bytes.shr(8)).and(0xffff);
}

/** Bits 4 and 5 of four bytes, together in 8 bits. */
function gatherHighs(word: Value): Value {
  const highs = word.shr(4).and(0x03030303);
  const pairs = highs.or(highs.shr(6)).and(0x000f000f);
  return pairs.or(pairs.shr(12)).and(0xff);
}

/** 16 bits into the low halves of four bytes. */
function spreadNibbles(low: Value): Value {
  const bytes = low.or(low.shl(8)).and(0x00ff00ff);
  return bytes.or(bytes.shl(4)).and(0x0f0f0f0f);
}

/** 8 bits into bits 4 and 5 of four bytes. */
function spreadHighs(high: Value): Value {
  const pairs = high.or(high.shl(12)).and(0x000f000f);
  return pairs.or(pairs.shl(6)).and(0x03030303).shl(4);
}

const packing = {
  4: pointwise("pack 4 bits", { codes }, {}, (scope) => ({ low: output("u16", gatherNibbles(scope.codes)) })),
  6: pointwise("pack 6 bits", { codes }, {}, (scope) => ({
    low: output("u16", gatherNibbles(scope.codes)),
    high: output("u8", gatherHighs(scope.codes)),
  })),
};

const unpacking = {
  4: pointwise("unpack 4 bits", { low: element("u16") }, {}, ({ low }) => ({
    codes: output("u32", spreadNibbles(low)),
  })),
  6: pointwise("unpack 6 bits", { low: element("u16"), high: element("u8") }, {}, ({ low, high }) => ({
    codes: output("u32", spreadNibbles(low).or(spreadHighs(high))),
  })),
};

/** 4 or 6 where a tensor's codes can be packed; null for wider codes and for numbers. */
function planesOf({ encoding }: Tensor): 4 | 6 | null {
  if (encoding.kind !== "coded" && encoding.kind !== "blocked") return null;
  const { bits } = encoding.kind === "coded" ? encoding.format : encoding.format.element;
  const occupied = packedBits(bits);
  return occupied === 4 || occupied === 6 ? occupied : null;
}

/** Whether a tensor's codes lie packed. */
export const isPacked = ({ encoding }: Tensor): boolean =>
  (encoding.kind === "coded" || encoding.kind === "blocked") && encoding.packed;

/** A tensor of the same codes in new memory of unspecified content, packed or not; it shares the scales. */
function alike<T extends Tensor>(x: T, inPlanes: boolean): T {
  const encoding = { ...x.encoding, packed: inPlanes } as T["encoding"];
  const { storage } = x.device.empty(x.shape, encoding);
  return { ...x, encoding, storage };
}

/**
 * Packs codes of at most 6 bits into new memory: 4 or 6 bits each. Scales are shared with `x`. Any other tensor, and one
 * that is packed already, is returned as it is.
 */
export function packed<T extends Tensor>(x: T): T {
  if (planesOf(x) === null || isPacked(x)) return x;
  const y = alike(x, true);
  packInto(y, x);
  return y;
}

/** Unpacks into new memory, a byte a code, for kernels to read; a tensor that is not packed is returned as it is. */
export function unpacked<T extends Tensor>(x: T): T {
  const planes = planesOf(x);
  if (planes === null || !isPacked(x)) return x;
  const y = alike(x, false);
  const { low, high, sizes } = planesIn(x);
  const inputs = planes === 6 ? { low, high } : { low };
  x.device.run(unpacking[planes], { inputs, outputs: { codes: y }, sizes });
  return y;
}

/**
 * Packs the codes of `source` over those of `target`.
 *
 * @throws ShapeError when `target` is not packed, `source` is, or their sizes or formats differ.
 */
export function packInto(target: Tensor, source: Tensor): void {
  const planes = planesOf(target);
  const fits = isPacked(target) && !isPacked(source) && planesOf(source) === planes;
  if (planes === null || !fits || sizeOf(source.shape) !== sizeOf(target.shape))
    throw new ShapeError(
      `logrung: packing [${source.shape.join(", ")}] into [${target.shape.join(", ")}]: wants unpacked codes, and ` +
        `packed memory of the same size and format`,
    );
  const { low, high, sizes } = planesIn(target);
  const outputs = planes === 6 ? { low, high } : { low };
  target.device.run(packing[planes], { inputs: { codes: source }, outputs, sizes });
}

/**
 * Runs `body` on tensors that it may overwrite, with unpacked copies in place of the packed ones; those are packed again
 * and freed afterwards.
 */
export function openPacked<T extends Readonly<Record<string, Tensor>>>(
  tensors: T,
  body: (open: Readonly<Record<string, Tensor>>) => void,
): void {
  const open = Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, unpacked(tensor)]));
  body(open);
  for (const [name, tensor] of Object.entries(tensors)) {
    if (open[name] === tensor) continue;
    packInto(tensor, open[name]);
    tensor.device.free(open[name]);
  }
}

function planesIn(x: Tensor) {
  const count = sizeOf(codesShape(x.encoding, x.shape));
  const low = x.storage.slice();
  const high = x.storage.slice(lowPlaneBytes(count));
  return { low, high, sizes: { rows: 1, columns: Math.ceil(count / 4) } };
}
