/**
 * What the shapes written in the kernel language share: a frame bound to a call, and outputs computed and stored an element at a time.
 */
import type { Call, Kernel } from "../backend.ts";
import { ProgramError, type StorageType, type Value } from "../program.ts";
import type { Inputs, Output, Outputs } from "../signature.ts";
import { outputSlice } from "../validate.ts";
import { wrap, type Precision } from "./arithmetic.ts";
import { Frame, Graph, type Signature } from "./graph.ts";
import { live, type View } from "./memory.ts";

/** A compiled kernel's body. */
export type Runner = (call: Call) => void;

/** The frame of one kernel, and the graphs that read it. */
export class Binding {
  readonly frame = new Frame();
  readonly precision: Precision;
  private readonly signature: Signature;
  private readonly stored = new Map<string, StorageType>();

  constructor(kernel: Kernel, precision: Precision, inputs: Inputs = kernel.inputs) {
    this.precision = precision;
    this.signature = { kernel: kernel.name, inputs, uniforms: kernel.uniforms, stored: this.stored };
  }

  graph(values: readonly Value[]): Graph {
    return new Graph(values, this.frame, this.signature, this.precision);
  }

  /** A reduction that graphs made from now on may read. */
  reduction(name: string): { value: number } {
    const cell = { value: 0 };
    this.frame.reductions.set(name, cell);
    return cell;
  }

  /** Outputs that graphs made from now on may read back. */
  declareStored(outputs: Outputs): void {
    for (const [name, { storage }] of Object.entries(outputs)) this.stored.set(name, storage);
  }

  /** Binds inputs, uniforms and stored outputs of one call. */
  bind(call: Call): void {
    const { frame, signature, precision } = this;
    for (const [name, { storage }] of Object.entries(signature.inputs))
      this.show(name, viewOf(call.inputs[name], storage));
    for (const [name, storage] of this.stored)
      this.show(`stored ${name}`, viewOf(outputSlice(call, name), storage));
    for (const [name, type] of Object.entries(signature.uniforms)) {
      const given = call.uniforms?.[name] ?? NaN;
      const value = type === "f32" ? Math.fround(given) : wrap(type, precision)(given);
      const cell = frame.uniforms.get(name);
      if (cell) cell.value = value;
    }
  }

  private show(name: string, view: View): void {
    const cell = this.frame.views.get(name);
    if (cell) cell.view = view;
  }
}

/** Computes all outputs of an element, then stores them: so an output may lie where an input does. */
export class Writer {
  private readonly graph: Graph;
  private readonly entries: readonly [string, Output][];
  private views: readonly View[] = [];

  constructor(binding: Binding, kernel: string, outputs: Outputs) {
    this.entries = Object.entries(outputs);
    for (const [name, output] of this.entries) checkOutput(kernel, name, output);
    this.graph = binding.graph(this.entries.map(([, { value }]) => value));
  }

  bind(call: Call): void {
    this.views = this.entries.map(([name, { storage }]) => viewOf(outputSlice(call, name), storage));
  }

  /** Evaluates at the frame's position and stores at `at`. */
  write(at: number): void {
    this.graph.evaluate();
    for (let i = 0; i < this.views.length; i++) this.views[i].store(at, this.graph.result(i));
  }
}

/** The view of a slice that the call was checked to have. */
export function viewOf(slice: Call["inputs"][string] | undefined, storage: StorageType): View {
  if (!slice) throw new TypeError("logrung: a slice is missing");
  return live(slice).view(slice.offset, storage);
}

function checkOutput(kernel: string, name: string, { storage, value }: Output): void {
  const float = storage === "f32" || storage === "bf16" || storage === "f16";
  if (value.type === "bool" || float !== (value.type === "f32"))
    throw new ProgramError(`kernel "${kernel}": output "${name}" stores ${value.type} as ${storage}`);
}
