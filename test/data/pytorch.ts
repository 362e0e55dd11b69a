/** PyTorch's files of tensors for tests, written by hand as `torch.save` writes them. */
import type { SafetensorsTensor } from "../../src/io/safetensors.ts";
import { zipOf } from "./archives.ts";

type Tensors = ReadonlyMap<string, SafetensorsTensor>;

const storages = {
  F32: "FloatStorage",
  F64: "DoubleStorage",
  F16: "HalfStorage",
  I64: "LongStorage",
} as const;
const sizes = { F32: 4, F64: 8, F16: 2, I64: 8 } as const;
const isStored = (dtype: string): dtype is keyof typeof storages => Object.hasOwn(storages, dtype);

const stop = Buffer.from(".");
const protocol = Buffer.of(0x80, 2);

/** Operations of a pickle. */
export const global = (path: string): Buffer => {
  const dot = path.lastIndexOf(".");
  return Buffer.from(`c${path.slice(0, dot)}\n${path.slice(dot + 1)}\n`);
};
export const string = (text: string): Buffer => {
  const bytes = Buffer.from(text);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(bytes.length);
  return Buffer.concat([Buffer.from("X"), length, bytes]);
};
export function integer(value: number): Buffer {
  if (value >= 0 && value < 256) return Buffer.of("K".charCodeAt(0), value);
  const bytes = Buffer.alloc(5);
  bytes.write("J");
  bytes.writeInt32LE(value, 1);
  return bytes;
}
const tuple = (...items: readonly Buffer[]): Buffer =>
  Buffer.concat([Buffer.from("("), ...items, Buffer.from("t")]);
const call = (path: string, args: Buffer): Buffer => Buffer.concat([global(path), args, Buffer.from("R")]);
const emptyState = call("collections.OrderedDict", Buffer.from(")"));

/** A whole pickle of one object. */
export const pickled = (...operations: readonly Buffer[]): Buffer =>
  Buffer.concat([protocol, ...operations, stop]);

/** Row by row; axes of other strides where they are given. */
function tensorOperations(key: string, tensor: SafetensorsTensor, isLegacy: boolean, strides?: readonly number[]) {
  const { dtype, shape, bytes } = tensor;
  if (!isStored(dtype)) throw new Error(`no storage of ${dtype} in tests`);
  const elements = bytes.length / sizes[dtype];
  const rows = strides ?? shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1));
  const view = isLegacy ? [Buffer.from("N")] : [];
  const id = tuple(
    string("storage"), global(`torch.${storages[dtype]}`), string(key), string("cpu"), integer(elements), ...view,
  );
  const storage = Buffer.concat([id, Buffer.from("Q")]);
  const args = tuple(
    storage, integer(0), tuple(...shape.map(integer)), tuple(...rows.map(integer)), Buffer.of(0x89), emptyState,
  );
  return call("torch._utils._rebuild_tensor_v2", args);
} // prettier-ignore

function stateOperations(tensors: Tensors, isLegacy: boolean, strides?: readonly number[]): Buffer {
  const items = [...tensors].flatMap(([name, tensor], i) => [
    string(name), tensorOperations(String(i), tensor, isLegacy, strides),
  ]); // prettier-ignore
  const versions = Buffer.concat([
    Buffer.from("}"), string("_metadata"), Buffer.from("}"), Buffer.from("s"), Buffer.from("b"),
  ]); // prettier-ignore
  return Buffer.concat([emptyState, Buffer.from("("), ...items, Buffer.from("u"), versions]);
}

/** As since PyTorch 1.6. @param pickle  in place of the state_dict's. */
export function pytorchZip(tensors: Tensors, pickle?: Buffer, strides?: readonly number[]): Uint8Array {
  const members = [
    { path: "model/data.pkl", content: pickle ?? pickled(stateOperations(tensors, false, strides)) },
    ...[...tensors.values()].map(({ bytes }, i) => ({ path: `model/data/${i}`, content: bytes })),
    { path: "model/version", content: Buffer.from("3\n") },
  ];
  return zipOf(members.map((member) => ({ ...member, method: 0 })));
}

/** As before PyTorch 1.6. */
export function pytorchPickles(tensors: Tensors): Uint8Array {
  const magic = Buffer.from("8a0a6cfc9c46f9206aa85019", "hex");
  const system = [Buffer.from("}("), string("little_endian"), Buffer.of(0x88), Buffer.from("u")];
  const keys = [...tensors.keys()].map((_, i) => string(String(i)));
  const parts = [...tensors.values()].flatMap(({ dtype, bytes }) => {
    if (!isStored(dtype)) throw new Error(`no storage of ${dtype} in tests`);
    const count = Buffer.alloc(8);
    count.writeBigInt64LE(BigInt(bytes.length / sizes[dtype]));
    return [count, bytes];
  });
  return Buffer.concat([
    pickled(magic), pickled(integer(1001)), pickled(...system), pickled(stateOperations(tensors, true)),
    pickled(Buffer.from("]("), ...keys, Buffer.from("e")), ...parts,
  ]); // prettier-ignore
}
