/** Steps of optimisers alone, on ten million parameters, beside copies of as many bytes. */
import { createWasmBackend } from "../../src/kernels/wasm/index.ts";
import { Device } from "../../src/tensor/device.ts";
import { sizes } from "../peers/protocol.ts";
import { onTwoThreads, type Context, type Row, type Suite, type Target } from "../suite.ts";
import { interleave, median, pairedRatio } from "../timing.ts";
import { adamw, cases, copyOf, gradientOf, optimizerStep, type OptimizerCase } from "../work/optimizer.ts";

/** Most that AdamW's step may take of a copy of its bytes, and a step in codes of AdamW's. */
const MOST = 1.3;
/** Most bytes of state in codes; one more where two parts stand in the weight's place. */
const mostBytes = ({ optimizer }: OptimizerCase): number => (optimizer.materialise ? 4 : 3);

interface Measured {
  readonly times: readonly number[];
  readonly perCopy: number;
  readonly perAdamW: number;
  readonly stateBytes: number;
  readonly movedBytes: number;
}

/** The step, a copy of its bytes and AdamW's step in turns: their ratios are those of neighbouring samples. */
async function measure(device: Device, each: OptimizerCase, baseline: () => void, context: Context) {
  const gradient = gradientOf(device);
  const work = await optimizerStep(device, each, gradient);
  const { copy, free } = copyOf(device, work.movedBytes);
  const sampling = { samples: context.quick ? 5 : 13, milliseconds: 0, warmUp: 4 };
  const [times, copies, adamws] = await interleave([work.step, copy, baseline], sampling);
  free();
  work.free();
  device.free(gradient);
  const perCopy = pairedRatio(times, copies);
  const { stateBytes, movedBytes } = work;
  return { times, perCopy, perAdamW: pairedRatio(times, adamws), stateBytes, movedBytes };
}

function rowsOf(each: OptimizerCase, measured: Measured, context: Context): Row[] {
  const { times, perCopy, perAdamW, stateBytes, movedBytes } = measured;
  const milliseconds = median(times);
  const rate = (sizes.adam.parameters * movedBytes) / milliseconds / 1e6;
  const name = `10 M parameters, ${each.name}`;
  const step: Row = {
    name,
    value: milliseconds,
    best: Math.min(...times),
    unit: "ms",
    note: `${rate.toFixed(1)} GB/s, ${movedBytes} bytes moved a parameter, ${perCopy.toFixed(2)}× a copy of them`,
  };
  const limit: Target = { atMost: MOST };
  if (each === adamw)
    return [step, { name: `${name}, to a copy`, value: perCopy, unit: "×", ...onTwoThreads(context, limit) }];
  const ratio: Row = {
    name: `${name}, to AdamW float32`,
    value: perAdamW,
    unit: "×",
    ...(each.coded ? onTwoThreads(context, limit) : {}),
  };
  if (!each.coded) return [step, ratio];
  const target: Target = { atMost: mostBytes(each) };
  return [step, ratio, { name: `${name}, state a parameter`, value: stateBytes, unit: "bytes", target }];
}

export const suite: Suite = {
  name: "optimizers",
  summary:
    "optimiser steps on 10 M parameters, in float32 and on 8-bit codes, beside copies of as many bytes",
  byDefault: true,
  async run(context) {
    const device = new Device(await createWasmBackend({ threads: context.threads }));
    const gradient = gradientOf(device);
    const baseline = await optimizerStep(device, adamw, gradient);
    const rows: Row[] = [];
    for (const each of cases)
      rows.push(...rowsOf(each, await measure(device, each, baseline.step, context), context));
    await device.close();
    return rows;
  },
};
