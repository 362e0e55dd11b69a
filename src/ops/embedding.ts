/** Rows of a table, chosen by index. */
import { gather } from "../kernels/gather.ts";
import { decodeValue } from "../kernels/codec.ts";
import { element, gathered, output, scalar } from "../kernels/signature.ts";
import type { ScalarFormat } from "../formats/format.ts";
import type { GatherKernel } from "../kernels/gather.ts";
import { pointwise } from "../kernels/pointwise.ts";
import { expectShape, isCoded, ShapeError, sizeOf, storageType, type Tensor } from "../tensor/tensor.ts";
import { f32 } from "../kernels/program.ts";
import { unpacked } from "./pack.ts";

const floatRows = gather("embedding", "gather", { source: gathered("f32") }, {}, ({ source }) =>
  output("f32", source),
);

const accumulate = gather("embedding gradient", "accumulate", { dy: element("f32") }, {}, ({ dy }) =>
  output("f32", dy),
);

const zero = pointwise("zero", {}, {}, () => ({ y: output("f32", f32(0)) }));

const codedRows = new Map<ScalarFormat, GatherKernel>();

/** The gather that decodes codes of a format on the way. */
function codedRowsOf(format: ScalarFormat): GatherKernel {
  const known = codedRows.get(format);
  if (known) return known;
  const storage = format.bits <= 8 ? "u8" : "u16";
  const inputs = { source: gathered(storage), scale: scalar("f32") } as const;
  const kernel = gather(`embedding ${format.name}`, "gather", inputs, {}, ({ source, scale }) =>
    output("f32", decodeValue(format, source).mul(scale)),
  );
  codedRows.set(format, kernel);
  return kernel;
}

/**
 *   y[i] = w[ids[i]];   dw[j] = Σ dy[i] over all i with ids[i] = j
 *
 * A coded table is decoded row by row as it is read; a packed one is unpacked into the step's memory first.
 *
 * @param w    [entries, width], float32, or coded with one scale
 * @param ids  [n], int32; the caller keeps them inside the table
 * @returns [n, width]
 */
export function embedding(w: Tensor, ids: Tensor): Tensor {
  expectShape("embedding", w, null, null);
  if (storageType(ids.encoding) !== "i32") throw new ShapeError("logrung: embedding wants int32 ids");
  const { device } = w;
  const sizes = { rows: sizeOf(ids.shape), columns: w.shape[1] };
  const y = device.empty([sizes.rows, sizes.columns]);
  if (isCoded(w)) {
    const { format, scale, scaleAxis } = w.encoding;
    if (scaleAxis !== null) throw new ShapeError("logrung: embedding of a table with scales per channel");
    const source = unpacked(w);
    const inputs = { index: ids, source, scale };
    device.run(codedRowsOf(format), { inputs, outputs: { out: y }, sizes });
    if (source !== w) device.free(source);
  } else {
    device.run(floatRows, { inputs: { index: ids, source: w }, outputs: { out: y }, sizes });
  }
  const vjp = (dy: Tensor): [Tensor] => {
    const dw = device.empty(w.shape);
    device.run(zero, { inputs: {}, outputs: { y: dw }, sizes: { rows: 1, columns: sizeOf(w.shape) } });
    device.run(accumulate, { inputs: { index: ids, dy }, outputs: { out: dw }, sizes });
    return [dw];
  };
  return device.tape.record([w], y, [], vjp, [ids]);
}
