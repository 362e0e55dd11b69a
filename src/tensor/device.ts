/** A backend with the things tensors need: a step arena, a tape, and a run that takes tensors. */
import type { Backend, BufferSlice, HostArray, Kernel, Call } from "../kernels/backend.ts";
import { packCodes } from "./packing.ts";
import { RoundedWeights } from "./rounded-weights.ts";
import { Arena, Storage } from "./storage.ts";
import { elementBytes, FLOAT32, INT32, ShapeError, sizeOf, slice } from "./tensor.ts";
import type { Encoding, Tensor } from "./tensor.ts";
import { Tape } from "./tape.ts";

type Slices = Readonly<Record<string, Tensor | BufferSlice>>;

/** What {@link Device.run} works on: like a backend's call, with tensors where it has slices. */
export interface TensorCall {
  readonly inputs: Slices;
  readonly outputs: Slices;
  readonly uniforms?: Readonly<Record<string, number>>;
  readonly sizes: Call["sizes"];
}

/**
 * Where tensors live. One device per backend.
 *
 * @example
 *   const device = new Device(await createWasmBackend());
 *   const x = device.tensor(new Float32Array([1, 2]), [2]);
 *   await device.step(async () => item(sum(x)));
 */
export class Device {
  readonly backend: Backend;
  readonly tape = new Tape();
  /** Weights as the products of the open step read them. */
  readonly roundedWeights = new RoundedWeights();
  private arena: Arena | null = null;

  constructor(backend: Backend) {
    this.backend = backend;
  }

  /** A tensor of unspecified content: in the step's arena inside a step, else kept until {@link free}. */
  empty(shape: readonly number[], encoding: Encoding = FLOAT32, tracked = false): Tensor {
    const storage = new Storage(this.backend, Math.max(4, elementBytes(encoding, shape)));
    this.arena?.own(storage);
    return { device: this, shape, encoding, storage, tracked };
  }

  /** A tensor of the given elements; codes are packed where they lie so. @throws ShapeError when their number does not fit. */
  tensor(data: HostArray, shape: readonly number[], encoding?: Encoding): Tensor {
    const lies = encoding ?? (data instanceof Int32Array ? INT32 : FLOAT32);
    if (data.length !== sizeOf(shape)) {
      throw new ShapeError(`logrung: ${data.length} elements do not fill shape [${shape.join(", ")}]`);
    }
    if (lies.kind === "blocked") throw new ShapeError("logrung: a tensor in blocks is made by quantise");
    const tensor = this.empty(shape, lies);
    const packed = lies.kind === "coded" && lies.packed;
    this.backend.write(slice(tensor), packed ? packCodes(data, lies.format.bits) : data);
    return tensor;
  }

  /** Runs a kernel. */
  run(kernel: Kernel, call: TensorCall): void {
    this.backend.run(this.backend.compile(kernel), backendCall(call));
  }

  /** Runs a kernel on many tensors in one dispatch. No call may read or write what another one writes. */
  runAll(kernel: Kernel, calls: readonly TensorCall[]): void {
    this.backend.runAll(this.backend.compile(kernel), calls.map(backendCall));
  }

  /**
   * One training or evaluation step: everything made inside is freed at its end, whether it returns or throws,
   * except what {@link keep} took out. Steps do not nest.
   */
  async step<T>(body: () => T | Promise<T>): Promise<T> {
    if (this.arena) throw new Error("logrung: a step is already open on this device; steps do not nest");
    this.arena = new Arena();
    try {
      return await body();
    } finally {
      this.tape.clear();
      this.roundedWeights.clear();
      this.arena.freeAll();
      this.arena = null;
    }
  }

  /** Whether a step is open, whose end frees what is made now. */
  get inStep(): boolean {
    return this.arena !== null;
  }

  /** Bytes that the open step has made and not given back; 0 outside a step. */
  get stepBytes(): number {
    return this.arena?.bytes ?? 0;
  }

  /** Makes a tensor outlive its step; {@link free} gives it back. */
  keep(tensor: Tensor): Tensor {
    this.arena?.disown(tensor.storage);
    return tensor;
  }

  /** Gives a tensor's memory back now. */
  free(tensor: Tensor): void {
    this.release(tensor.storage);
  }

  /** Frees a storage, in the arena or outside. */
  release(storage: Storage): void {
    this.arena?.disown(storage);
    storage.free();
  }

  close(): Promise<void> {
    return this.backend.close();
  }
}

const backendCall = (call: TensorCall): Call => ({
  inputs: slicesOf(call.inputs),
  outputs: slicesOf(call.outputs),
  sizes: call.sizes,
  ...(call.uniforms ? { uniforms: call.uniforms } : {}),
});

function slicesOf(slices: Slices): Record<string, BufferSlice> {
  const out: Record<string, BufferSlice> = {};
  for (const name in slices) {
    const given = slices[name];
    out[name] = "storage" in given ? slice(given) : given;
  }
  return out;
}
