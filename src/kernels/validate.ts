/** What a call owes its kernel: every buffer, uniform and size there, and every slice large enough. */
import { attentionBuffers, attentionExtent, checkAttentionSizes, type AttentionSizes } from "./attention.ts";
import type { BufferSlice, Call, Kernel, MatrixSizes } from "./backend.ts";
import type { GemmOperand, GemmSizes, GemmStrides } from "./gemm.ts";
import type { MxGemmKernel, MxGemmSizes, MxOperand, MxStrides } from "./mx-gemm.ts";
import { storageBytes, type StorageType } from "./program.ts";
import type { Access, Inputs, Outputs } from "./signature.ts";

/** How the number of elements follows from the sizes. */
type Extent = Access | "attention" | "a" | "b" | "aScale" | "bScale" | "codeTable" | "m" | "n" | "k";

interface Requirement {
  readonly name: string;
  readonly bytes: number;
  readonly extent: Extent;
}

interface Requirements {
  readonly inputs: readonly Requirement[];
  readonly outputs: readonly Requirement[];
  readonly uniforms: readonly string[];
}

const requirementsOf = new WeakMap<Kernel, Requirements>();

/**
 * The slice of output `name`: the call's own, or, where it is left out, the input of the same name.
 */
export function outputSlice(call: Call, name: string): BufferSlice | undefined {
  return call.outputs[name] ?? call.inputs[name];
}

/**
 * Checks a call against its kernel. Cheap: the names are listed once a kernel, the rest is a few products, and loops by index
 * leave nothing behind.
 *
 * @throws TypeError when a buffer, uniform or size is missing.
 * @throws RangeError when a slice is too small or misaligned, or a size is not a count.
 */
export function checkCall(kernel: Kernel, call: Call): void {
  let list = requirementsOf.get(kernel);
  if (!list) requirementsOf.set(kernel, (list = requirements(kernel)));
  if (kernel.shape === "gemm") checkGemmSizes(kernel.name, kernel.plain, call.sizes as GemmSizes);
  else if (kernel.shape === "mx-gemm") checkMxGemmSizes(kernel, call.sizes as MxGemmSizes);
  else if (kernel.shape === "attention") checkAttentionSizes(kernel, call.sizes as AttentionSizes);
  else checkMatrixSizes(kernel.name, call.sizes as MatrixSizes);
  const { uniforms, inputs, outputs } = list;
  for (let i = 0; i < uniforms.length; i++)
    if (typeof call.uniforms?.[uniforms[i]] !== "number") throw missing(kernel, "uniform", uniforms[i]);
  for (let i = 0; i < inputs.length; i++)
    checkSlice(kernel, call, inputs[i], call.inputs[inputs[i].name], "input");
  for (let i = 0; i < outputs.length; i++)
    checkSlice(kernel, call, outputs[i], outputSlice(call, outputs[i].name), "output");
}

/**
 * Elements that a matrix shape reads or writes through an access. `table` gives 0 and `gathered` one row: how
 * far they reach depends on the data.
 */
export function sizeOf(access: Access, sizes: MatrixSizes): number {
  const rows = sizes.rows * (sizes.outer ?? 1);
  const some = rows * sizes.columns > 0;
  switch (access) {
    case "element":
      return rows * sizes.columns;
    case "row":
      return rows;
    case "column":
      return sizes.columns;
    case "block":
      return (sizes.outer ?? 1) * sizes.columns;
    case "scalar":
      return some ? 1 : 0;
    case "gathered":
      return some ? sizes.columns : 0;
    case "table":
      return 0;
  }
}

/** Elements from a gemm operand's start to the end of its last one; `rows` × `columns` a batch. */
export function gemmExtent(
  sizes: GemmSizes,
  strides: {
    readonly outer?: number;
    readonly inner?: number;
    readonly row: number;
    readonly column: number;
  },
  rows: number,
  columns: number,
): number {
  const outer = sizes.outer ?? 1;
  const inner = sizes.inner ?? 1;
  if (outer * inner * rows * columns === 0) return 0;
  const batches = (outer - 1) * (strides.outer ?? 0) + (inner - 1) * (strides.inner ?? 0);
  return batches + (rows - 1) * strides.row + (columns - 1) * strides.column + 1;
}

function requirements(kernel: Kernel): Requirements {
  const uniforms = Object.keys(kernel.uniforms);
  const inputs = declared(kernel.inputs);
  switch (kernel.shape) {
    case "pointwise":
      return { uniforms, inputs, outputs: written(kernel.outputs, "element") };
    case "rows": {
      const stored = Object.assign({}, ...kernel.stages.map((stage) => stage.store ?? {})) as Outputs;
      const outputs = [...written(stored, "element"), ...written(kernel.perRow, "row")];
      return { uniforms, inputs, outputs };
    }
    case "columns":
      return { uniforms, inputs, outputs: written(kernel.outputs, "block") };
    case "gather": {
      const extent = kernel.mode === "gather" ? "element" : "gathered";
      inputs.push({ name: "index", bytes: 4, extent: "row" });
      return { uniforms, inputs, outputs: written({ out: kernel.out }, extent) };
    }
    case "gemm": {
      const operands = [...operand("a", kernel.a), ...operand("b", kernel.b)];
      return { uniforms, inputs: [...operands, ...inputs], outputs: written(kernel.outputs, "element") };
    }
    case "attention": {
      const all = attentionBuffers(kernel);
      const of = (wanted: "input" | "output"): Requirement[] =>
        all.filter(({ role }) => role === wanted).map((buffer) => ({ ...buffer, extent: "attention" }));
      return { uniforms, inputs: of("input"), outputs: of("output") };
    }
    case "mx-gemm": {
      const operands = [...mxOperand("a", kernel.a), ...mxOperand("b", kernel.b)];
      return { uniforms, inputs: [...operands, ...inputs], outputs: written(kernel.outputs, "element") };
    }
  }
}

const declared = (inputs: Inputs): Requirement[] =>
  Object.entries(inputs).map(([name, { storage, access }]) => entry(name, storage, access));

const written = (outputs: Outputs, extent: Extent): Requirement[] =>
  Object.entries(outputs).map(([name, { storage }]) => entry(name, storage, extent));

const entry = (name: string, storage: StorageType, extent: Extent): Requirement => ({
  name,
  bytes: storageBytes[storage],
  extent,
});

function operand(name: "a" | "b", kind: GemmOperand): Requirement[] {
  if (kind === "f32") return [entry(name, "f32", name)];
  if (kind === "gathered") return [entry(name, "f32", "scalar"), ...offsetTables(name)];
  return [
    entry(name, "u8", name),
    entry(`${name}Table`, "f32", "codeTable"),
    entry(`${name}Scale`, "f32", `${name}Scale`),
  ];
}

/** One offset a row and one a column. */
function offsetTables(name: "a" | "b"): Requirement[] {
  const [rows, columns] = name === "a" ? (["m", "k"] as const) : (["k", "n"] as const);
  return [entry(`${name}Rows`, "i32", rows), entry(`${name}Columns`, "i32", columns)];
}

/** How far a gathered operand reaches depends on its tables. */
function mxOperand(name: "a" | "b", { source, gathered }: MxOperand): Requirement[] {
  const values = entry(name, source === "f32" ? "f32" : "u8", gathered ? "scalar" : name);
  const scales = source === "f32" ? [] : [entry(`${name}Scale`, "u8", gathered ? "scalar" : `${name}Scale`)];
  return [values, ...scales, ...(gathered ? offsetTables(name) : [])];
}

function checkSlice(
  kernel: Kernel,
  call: Call,
  { name, bytes, extent }: Requirement,
  slice: BufferSlice | undefined,
  role: string,
): void {
  if (!slice) throw missing(kernel, role, name);
  const { offset, buffer } = slice;
  const needed = bytes * elements(kernel, name, extent, call.sizes);
  if (!(offset >= 0) || offset % bytes !== 0)
    throw new RangeError(
      `logrung: kernel "${kernel.name}": ${role} "${name}" at byte ${offset}, wants a multiple of ${bytes}`,
    );
  const left = buffer.bytes - offset;
  if (needed > left)
    throw new RangeError(
      `logrung: kernel "${kernel.name}": ${role} "${name}" has ${left} bytes, needs ${needed}`,
    );
}

function elements(kernel: Kernel, name: string, extent: Extent, sizes: Call["sizes"]): number {
  if (kernel.shape === "attention") return attentionExtent(name, sizes as AttentionSizes);
  if (kernel.shape === "gemm") return gemmElements(extent, sizes as GemmSizes);
  if (kernel.shape === "mx-gemm") return mxGemmElements(kernel, extent, sizes as MxGemmSizes);
  return sizeOf(extent as Access, sizes as MatrixSizes);
}

function mxGemmElements({ block }: MxGemmKernel, extent: Extent, sizes: MxGemmSizes): number {
  const blocks = Math.ceil(sizes.k / block);
  if (extent === "aScale") return gemmExtent(sizes, mxScaleStrides(sizes.a), sizes.m, blocks);
  if (extent === "bScale") return gemmExtent(sizes, mxScaleStrides(sizes.b), blocks, sizes.n);
  return gemmElements(extent, sizes);
}

function gemmElements(extent: Extent, sizes: GemmSizes): number {
  const { m, n, k } = sizes;
  switch (extent) {
    case "a":
      return gemmExtent(sizes, sizes.a, m, k);
    case "b":
      return gemmExtent(sizes, sizes.b, k, n);
    case "aScale":
      return gemmExtent({ ...sizes, outer: 1, inner: 1 }, scaleStrides(sizes.a), m, k);
    case "bScale":
      return gemmExtent({ ...sizes, outer: 1, inner: 1 }, scaleStrides(sizes.b), k, n);
    case "m":
    case "n":
    case "k":
      return sizes[extent];
    case "codeTable":
      return 256;
    case "element":
      return gemmExtent(sizes, { ...sizes.c, column: 1 }, m, n);
    default:
      return sizeOf(extent as Access, { rows: m, columns: n });
  }
}

const scaleStrides = (strides: GemmStrides) => ({
  row: strides.scaleRow ?? 0,
  column: strides.scaleColumn ?? 0,
});

const mxScaleStrides = (strides: MxStrides) => ({
  outer: strides.scaleOuter ?? 0,
  inner: strides.scaleInner ?? 0,
  ...scaleStrides(strides),
});

function checkMatrixSizes(kernel: string, sizes: MatrixSizes): void {
  checkCount(kernel, "rows", sizes?.rows);
  checkCount(kernel, "columns", sizes.columns);
  if (sizes.outer !== undefined) checkCount(kernel, "outer", sizes.outer);
}

function checkGemmSizes(kernel: string, plain: boolean, sizes: GemmSizes): void {
  checkCount(kernel, "m", sizes?.m);
  checkCount(kernel, "n", sizes.n);
  checkCount(kernel, "k", sizes.k);
  checkStrides(kernel, "a", sizes.a);
  checkStrides(kernel, "b", sizes.b);
  checkCount(kernel, "c.row", sizes.c?.row);
  checkOptional(kernel, "", sizes);
  checkOptional(kernel, "c.", sizes.c);
  if (sizes.accumulate && !plain)
    throw new TypeError(`logrung: kernel "${kernel}": accumulate wants a gemm without an epilogue`);
}

function checkMxGemmSizes(kernel: MxGemmKernel, sizes: MxGemmSizes): void {
  checkGemmSizes(kernel.name, kernel.plain, sizes);
  const blocksGathered = [kernel.a, kernel.b].some(({ source, gathered }) => source === "codes" && gathered);
  if (blocksGathered && sizes.k % kernel.block !== 0)
    throw new RangeError(
      `logrung: kernel "${kernel.name}": size "k" is ${sizes.k}, wants whole blocks of ${kernel.block}`,
    );
  for (const name of ["a", "b"] as const)
    for (const key of ["scaleOuter", "scaleInner"] as const)
      if (sizes[name][key] !== undefined) checkCount(kernel.name, `${name}.${key}`, sizes[name][key]);
}

function checkStrides(kernel: string, name: "a" | "b", strides: GemmStrides | undefined): void {
  if (!strides) throw new TypeError(`logrung: kernel "${kernel}": size "${name}" is missing`);
  checkCount(kernel, `${name}.row`, strides.row);
  checkCount(kernel, `${name}.column`, strides.column);
  checkOptional(kernel, `${name}.`, strides);
  if (strides.run !== undefined) checkCount(kernel, `${name}.run`, strides.run);
  if (strides.scaleRow !== undefined) checkCount(kernel, `${name}.scaleRow`, strides.scaleRow);
  if (strides.scaleColumn !== undefined) checkCount(kernel, `${name}.scaleColumn`, strides.scaleColumn);
}

function checkOptional(kernel: string, at: string, sizes: { outer?: number; inner?: number }): void {
  if (sizes.outer !== undefined) checkCount(kernel, `${at}outer`, sizes.outer);
  if (sizes.inner !== undefined) checkCount(kernel, `${at}inner`, sizes.inner);
}

function checkCount(kernel: string, size: string, value: number | undefined): void {
  if (value === undefined) throw new TypeError(`logrung: kernel "${kernel}": size "${size}" is missing`);
  if (!Number.isSafeInteger(value) || value < 0)
    throw new RangeError(`logrung: kernel "${kernel}": size "${size}" is ${value}, wants a count`);
}

const missing = (kernel: Kernel, role: string, name: string): TypeError =>
  new TypeError(`logrung: kernel "${kernel.name}": ${role} "${name}" is missing`);
