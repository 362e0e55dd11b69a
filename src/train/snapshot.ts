/** State between steps, to and from the tensors of a checkpoint. */
import type { HostArray } from "../kernels/backend.ts";
import type { SafetensorsTensor } from "../io/safetensors.ts";
import {
  elementBytes,
  isBlocked,
  isCoded,
  readPacked,
  readTensor,
  storageType,
  type Tensor,
} from "../tensor/tensor.ts";
import type { Json, JsonObject } from "./json.ts";

const DTYPES = { f32: "F32", i32: "I32", u8: "U8", u16: "U16" } as const;
type Stored = keyof typeof DTYPES;

/** Thrown when a checkpoint's tensors are not those of the model and optimiser that load it. */
export class SnapshotError extends Error {
  override name = "SnapshotError";
}

const dtypeOf = (tensor: Tensor) => DTYPES[storageType(tensor.encoding) as Stored];

const isPacked = (tensor: Tensor): boolean => isCoded(tensor) && tensor.encoding.packed;

/** The shape in a file: packed codes are a list of bytes. */
const storedShape = (tensor: Tensor): readonly number[] =>
  isPacked(tensor) ? [elementBytes(tensor.encoding, tensor.shape)] : tensor.shape;

/**
 * Tensors as they lie in memory: codes stay codes, packed ones stay packed.
 *
 * @throws SnapshotError for blocked tensors, which are operands and no state.
 */
export async function snapshot(
  tensors: Readonly<Record<string, Tensor>>,
): Promise<Record<string, SafetensorsTensor>> {
  const taken: Record<string, SafetensorsTensor> = {};
  for (const [name, tensor] of Object.entries(tensors)) {
    if (isBlocked(tensor))
      throw new SnapshotError(`logrung: "${name}" is in blocks, which no checkpoint holds`);
    const data = await (isPacked(tensor) ? readPacked(tensor) : readTensor(tensor));
    const narrow = data instanceof Float64Array ? Float32Array.from(data) : data;
    const bytes = new Uint8Array(narrow.buffer, narrow.byteOffset, narrow.byteLength);
    taken[name] = { dtype: dtypeOf(tensor), shape: storedShape(tensor), bytes };
  }
  return taken;
}

/**
 * The format of each coded tensor, for the metadata: a reader can tell codes from numbers. Packed codes come with the
 * shape they unpack to; `storedCodes` reads either.
 */
export function formatsOf(tensors: Readonly<Record<string, Tensor>>): JsonObject {
  const formats: Record<string, Json> = {};
  for (const [name, tensor] of Object.entries(tensors)) {
    if (!isCoded(tensor)) continue;
    const { format, packed } = tensor.encoding;
    formats[name] = packed ? { format: format.name, shape: [...tensor.shape] } : format.name;
  }
  return formats;
}

/**
 * Writes a checkpoint's tensors over the state in memory, all or nothing.
 *
 * @throws SnapshotError naming the first tensor that is missing, left over, or of another type or shape; nothing has
 *   been written then.
 */
export function restore(
  tensors: Readonly<Record<string, Tensor>>,
  saved: Readonly<Record<string, SafetensorsTensor>>,
): void {
  const fault = misfit(tensors, saved);
  if (fault !== undefined) throw new SnapshotError(`logrung: the checkpoint does not fit: ${fault}`);
  for (const [name, tensor] of Object.entries(tensors)) {
    tensor.device.backend.write(tensor.storage.slice(), elementsOf(saved[name]));
  }
}

/** Why a checkpoint's tensors cannot be written over the state in memory; undefined when they can. */
export function misfit(
  tensors: Readonly<Record<string, Tensor>>,
  saved: Readonly<Record<string, SafetensorsTensor>>,
): string | undefined {
  const extra = Object.keys(saved).find((name) => !Object.hasOwn(tensors, name));
  if (extra !== undefined) return `it has a tensor "${extra}" the run does not know`;
  for (const [name, tensor] of Object.entries(tensors)) {
    if (!Object.hasOwn(saved, name)) return `it has no tensor "${name}"`;
    const wanted = `${dtypeOf(tensor)} [${storedShape(tensor).join(", ")}]`;
    const came = `${saved[name].dtype} [${saved[name].shape.join(", ")}]`;
    if (wanted !== came) return `tensor "${name}" is ${came}, wants ${wanted}`;
  }
  return undefined;
}

function elementsOf({ dtype, bytes }: SafetensorsTensor): HostArray {
  const { buffer } = bytes.slice();
  if (dtype === "F32") return new Float32Array(buffer);
  if (dtype === "I32") return new Int32Array(buffer);
  return dtype === "U16" ? new Uint16Array(buffer) : new Uint8Array(buffer);
}
