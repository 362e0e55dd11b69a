/** Tensors that follow from sizes alone: tables of indices, rows of ones. */
import type { HostArray } from "../kernels/backend.ts";
import type { Device } from "./device.ts";
import type { Tensor } from "./tensor.ts";

const made = new WeakMap<Device, Map<string, Tensor>>();

/**
 * A list of numbers that its key determines. It is made at the first use on a device and kept for the device's life, since
 * training steps ask for the same few again and again; nobody frees it.
 *
 * @param key   what it is and of which sizes, as in `average of 49`.
 * @param make  its float32 or int32 elements.
 */
export function constantTensor(device: Device, key: string, make: () => HostArray): Tensor {
  const ofDevice = made.get(device) ?? new Map<string, Tensor>();
  made.set(device, ofDevice);
  const known = ofDevice.get(key);
  if (known) return known;
  const elements = make();
  const tensor = device.keep(device.tensor(elements, [elements.length]));
  ofDevice.set(key, tensor);
  return tensor;
}

/** So many times the same float32. */
export const constantRow = (device: Device, value: number, length: number): Tensor =>
  constantTensor(device, `${length} times ${value}`, () => new Float32Array(length).fill(value));
