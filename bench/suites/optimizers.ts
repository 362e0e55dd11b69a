/** Steps of optimisers alone, on ten million parameters. */
import { createWasmBackend } from "../../src/kernels/wasm/index.ts";
import { Device } from "../../src/tensor/device.ts";
import { sizes } from "../peers/protocol.ts";
import { onTwoThreads, type Context, type Row, type Suite } from "../suite.ts";
import { interleave, median } from "../timing.ts";
import { cases, gradientOf, optimizerStep, type OptimizerCaseName } from "../work/optimizer.ts";

/** Most milliseconds a step. The target of codes was set for the step without momentum. */
const limits: Partial<Record<OptimizerCaseName, number>> = {
  "AdamW float32": 6,
  "LNS-Madam 8-bit, no momentum": 9,
};

function rowOf(name: OptimizerCaseName, times: readonly number[], context: Context): Row {
  const limit = limits[name];
  const milliseconds = median(times);
  const bytes = sizes.adam.parameters * cases[name].bytes;
  return {
    name: `10 M parameters, ${name}`,
    value: milliseconds,
    best: Math.min(...times),
    unit: "ms",
    ...(limit ? onTwoThreads(context, { atMost: limit }) : {}),
    note: `${(bytes / milliseconds / 1e6).toFixed(1)} GB/s, ${cases[name].bytes} bytes moved a parameter`,
  };
}

export const suite: Suite = {
  name: "optimizers",
  summary: "optimiser steps on 10 M parameters: AdamW float32, LNS-Madam on 8-bit codes",
  byDefault: true,
  async run(context) {
    const names = Object.keys(cases) as OptimizerCaseName[];
    const device = new Device(await createWasmBackend({ threads: context.threads }));
    const gradient = gradientOf(device);
    const steps = [];
    for (const name of names) steps.push(await optimizerStep(device, name, gradient));
    const times = await interleave(steps, { samples: context.quick ? 9 : 41, milliseconds: 0, warmUp: 4 });
    await device.close();
    return names.map((name, i) => rowOf(name, times[i], context));
  },
};
