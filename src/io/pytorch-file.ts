/**
 * PyTorch's files of tensors (`torch.save(model.state_dict(), …)`), without PyTorch and without running what they say. Node only.
 *
 *   since 1.6   a zip archive, its members stored: <name>/data.pkl, <name>/data/<key> for each storage
 *   before      pickles one after the other: magic number, version, sizes of types, the state_dict, the storages' keys; then of each
 *               storage the number of its elements (int64) and these
 *
 * @source torch/serialization.py (`_save`, `_legacy_save`) and torch/_utils.py (`_rebuild_tensor_v2`).
 */
import { PickleGlobal, type PickleVocabulary, unpickle } from "./pickle.ts";
import { type SafetensorsDtype, safetensorsBytes, type SafetensorsTensor } from "./safetensors.ts";
import { readZip } from "./zip.ts";

/** The bytes are no state_dict of PyTorch's that can be read. */
export class PytorchFileError extends Error {
  override readonly name = "PytorchFileError";
  readonly file: string;

  constructor(file: string, reason: string) {
    super(`logrung: "${file}" is not a PyTorch file that can be read: ${reason}`);
    this.file = file;
  }
}

const dtypes: Readonly<Record<string, SafetensorsDtype>> = {
  "torch.FloatStorage": "F32", "torch.DoubleStorage": "F64", "torch.HalfStorage": "F16",
  "torch.BFloat16Storage": "BF16", "torch.LongStorage": "I64", "torch.IntStorage": "I32",
  "torch.ShortStorage": "I16", "torch.CharStorage": "I8", "torch.ByteStorage": "U8", "torch.BoolStorage": "BOOL",
}; // prettier-ignore

const dictionary = "collections.OrderedDict";
const rebuilds = ["torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor"];
const parameter = "torch._utils._rebuild_parameter";

/** Memory that tensors are views of; its bytes lie elsewhere in the file. */
class StorageOf {
  readonly dtype: SafetensorsDtype;
  readonly key: string;
  readonly elements: number;

  constructor(dtype: SafetensorsDtype, key: string, elements: number) {
    this.dtype = dtype;
    this.key = key;
    this.elements = elements;
  }
}

/** A tensor before its bytes are there. */
class View {
  readonly storage: StorageOf;
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];

  constructor(storage: StorageOf, offset: number, shape: readonly number[], strides: readonly number[]) {
    this.storage = storage;
    this.offset = offset;
    this.shape = shape;
    this.strides = strides;
  }
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;
const isCounts = (value: unknown): value is number[] => Array.isArray(value) && value.every(isCount);

/** @param seen  is told of every storage, by its key. */
const vocabularyOf = (seen: Map<string, StorageOf>): PickleVocabulary => ({
  globals: new Set([dictionary, ...rebuilds, parameter, ...Object.keys(dtypes)]),
  call(path, args) {
    if (path === dictionary && args.length === 0) return new Map();
    const [first, offset, shape, strides] = args;
    if (path === parameter && first instanceof View) return first;
    const fits = first instanceof StorageOf && isCount(offset) && isCounts(shape) && isCounts(strides);
    if (rebuilds.includes(path) && fits && shape.length === strides.length)
      return new View(first, offset, shape, strides);
    throw new Error(`${path} with arguments that do not fit`);
  },
  persistent(id) {
    const [kind, type, key, , elements, view = null] = Array.isArray(id) ? id : [];
    const named = kind === "storage" && type instanceof PickleGlobal && Object.hasOwn(dtypes, type.path);
    if (!named || typeof key !== "string" || !isCount(elements) || view !== null)
      throw new Error("it refers to something that is no storage of a tensor");
    const storage = new StorageOf(dtypes[type.path], key, elements);
    seen.set(key, storage);
    return storage;
  },
});

/**
 * The tensors of a `state_dict`, by name: of the file itself, or under its key `state_dict`. They are views into `bytes` where they are
 * stored plainly.
 *
 * @param file  name used in errors.
 * @throws PytorchFileError, PickleError, ZipError naming what is damaged, or is no tensor; for tensors that do not lie row by row.
 */
export function decodePytorch(bytes: Uint8Array, file: string): ReadonlyMap<string, SafetensorsTensor> {
  const { value, storages } = isZip(bytes) ? fromZip(bytes, file) : fromPickles(bytes, file);
  const tensors = new Map<string, SafetensorsTensor>();
  for (const [name, view] of stateIn(value, file)) {
    if (typeof name !== "string" || !(view instanceof View))
      throw new PytorchFileError(file, `its entry ${JSON.stringify(String(name))} is no tensor`);
    tensors.set(name, tensorOf(name, view, storages, file));
  }
  return tensors;
}

/** Whether bytes begin as a PyTorch file of either kind does. */
export const isPytorch = (bytes: Uint8Array): boolean =>
  isZip(bytes) || (bytes[0] === 0x80 && bytes[1] === 2 && bytes[2] === 0x8a && bytes[3] === 10);

const isZip = (bytes: Uint8Array): boolean => [0x50, 0x4b, 0x03, 0x04].every((byte, i) => bytes[i] === byte);

/** What the pickle says, and the bytes of each storage. */
interface Opened {
  readonly value: unknown;
  readonly storages: ReadonlyMap<string, Uint8Array>;
}

function fromZip(bytes: Uint8Array, file: string): Opened {
  const members = new Map(readZip(bytes, file, () => true).map((member) => [member.path, member.bytes]));
  const pickle = [...members.keys()].find((path) => /^[^/]*\/data\.pkl$/.test(path));
  const content = pickle === undefined ? undefined : members.get(pickle);
  if (pickle === undefined || content === undefined)
    throw new PytorchFileError(file, "a zip archive without data.pkl");
  const folder = pickle.slice(0, -"data.pkl".length);
  const order = new TextDecoder().decode(members.get(`${folder}byteorder`) ?? new Uint8Array()).trim();
  if (order !== "" && order !== "little") throw new PytorchFileError(file, `its byte order is ${order}`);
  const { value } = unpickle(content, 0, file, vocabularyOf(new Map()));
  const inData = [...members].filter(([path]) => path.startsWith(`${folder}data/`));
  return { value, storages: new Map(inData.map(([path, data]) => [path.slice(folder.length + 5), data])) };
}

const magic = 0x1950a86a20f9469cfc6cn;
const version = 1001;

function fromPickles(bytes: Uint8Array, file: string): Opened {
  let at = 0;
  const seen = new Map<string, StorageOf>();
  const vocabulary = vocabularyOf(seen);
  const next = (): unknown => {
    const { value, end } = unpickle(bytes, at, file, vocabulary);
    at = end;
    return value;
  };
  if (next() !== magic) throw new PytorchFileError(file, "it does not begin with PyTorch's number");
  const found = next();
  if (found !== version) throw new PytorchFileError(file, `version ${String(found)}, wants ${version}`);
  const system = next();
  if (!(system instanceof Map) || system.get("little_endian") !== true)
    throw new PytorchFileError(file, "its byte order is not little");
  const value = next();
  const keys = next();
  if (!Array.isArray(keys)) throw new PytorchFileError(file, "it has no list of storages");
  return { value, storages: storagesFrom(bytes, at, keys, seen, file) };
}

function storagesFrom(
  bytes: Uint8Array,
  start: number,
  keys: readonly unknown[],
  seen: ReadonlyMap<string, StorageOf>,
  file: string,
): Map<string, Uint8Array> {
  const storages = new Map<string, Uint8Array>();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = start;
  for (const key of keys) {
    const storage = seen.get(String(key));
    if (!storage) throw new PytorchFileError(file, `a storage "${String(key)}" of no tensor`);
    const elements = at + 8 > bytes.length ? -1 : Number(view.getBigInt64(at, true));
    const end = at + 8 + elements * elementSize(storage);
    if (elements < 0 || end > bytes.length)
      throw new PytorchFileError(file, `it ends at byte ${bytes.length}, within storage "${storage.key}"`);
    storages.set(storage.key, bytes.subarray(at + 8, end));
    at = end;
  }
  return storages;
}

const elementSize = ({ dtype }: StorageOf): number => safetensorsBytes(dtype, [1]) ?? 0;

function stateIn(value: unknown, file: string): ReadonlyMap<unknown, unknown> {
  const state =
    value instanceof Map && value.get("state_dict") instanceof Map ? value.get("state_dict") : value;
  if (state instanceof Map) return state;
  throw new PytorchFileError(file, "it holds no dictionary of tensors");
}

function tensorOf(
  name: string,
  { storage, offset, shape, strides }: View,
  storages: ReadonlyMap<string, Uint8Array>,
  file: string,
): SafetensorsTensor {
  const fail = (reason: string): never => {
    throw new PytorchFileError(file, `tensor "${name}" ${reason}`);
  };
  let next = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] > 1 && strides[axis] !== next)
      return fail("does not lie row by row: save it with contiguous()");
    next *= shape[axis];
  }
  const { dtype } = storage;
  const size = elementSize(storage);
  const length =
    safetensorsBytes(dtype, shape) ?? fail(`has a shape that is not possible, [${shape.join(", ")}]`);
  const bytes = storages.get(storage.key) ?? fail(`lies in storage "${storage.key}", which is missing`);
  if (offset * size + length > bytes.length || bytes.length !== storage.elements * size)
    return fail(`needs ${length} bytes, its storage has ${bytes.length}`);
  return { dtype, shape, bytes: bytes.subarray(offset * size, offset * size + length) };
}
