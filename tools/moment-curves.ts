/**
 * Curves of 8-bit and 16-bit moments against float32 over 2,000 steps: `node tools/moment-curves.ts`.
 *
 * 1. Tracking: 4,096 weights get one recorded stream of gradients, whose size falls a thousandfold over the first half,
 *    then jumps back, under β₂ 0.999. Printed: √v in the format over √v in float32, as median and as the range that holds
 *    99 % of the weights. A moment that stalls stays above 1 while gradients fall; one that explodes goes to 0.
 * 2. Training: AdamW fits a noisy linear map of 64 × 64 weights; its excess loss in each format.
 */
import { createWasmBackend } from "../src/kernels/wasm/index.ts";
import type { Held } from "../src/optim/held.ts";
import { createGroup, type OptimizerGroup } from "../src/optim/group.ts";
import { optimizers } from "../src/optim/optimizers.generated.ts";
import { format } from "../src/formats/index.ts";
import type { Rounding } from "../src/formats/index.ts";
import { normal } from "../src/random/normal.ts";
import { Device } from "../src/tensor/device.ts";
import type { Parameter } from "../src/tensor/parameter.ts";
import { isCoded, readTensor, readValues } from "../src/tensor/tensor.ts";

const STEPS = 2000;
const SIZE = 4096;
const SHOWN = [1, 10, 100, 300, 600, 1000, 1100, 1500, 2000];
/** As in `src/optim/fields.ts`: the value of the top rung. */
const SECOND_MOMENT_TOP = 2 ** 8;

const held = (name: string, rounding: Rounding): Held => ({ format: name, rounding, scale: "tensor" });
const cases: readonly (readonly [name: string, first: Held, second: Held])[] = [
  ["float32", null, null],
  ["v ulns8-g4 stochastic", null, held("ulns8-g4", "stochastic")],
  ["v ulns8-g4 nearest", null, held("ulns8-g4", "nearest-even")],
  ["v bf16 stochastic", null, held("bf16", "stochastic")],
  ["v bf16 nearest", null, held("bf16", "nearest-even")],
  ["m lns8-g8, v ulns8-g4, stochastic", held("lns8-g8", "stochastic"), held("ulns8-g4", "stochastic")],
  ["m lns8-g8, v ulns8-g4, nearest", held("lns8-g8", "nearest-even"), held("ulns8-g4", "nearest-even")],
];

const device = new Device(await createWasmBackend());

async function groupOf(first: Held, second: Held, lr: number): Promise<[OptimizerGroup, Parameter]> {
  const tensor = { ...device.tensor(new Float32Array(SIZE), [64, 64]), tracked: true };
  const parameter: Parameter = { name: "w", kind: "matrix", tensor };
  const precision = { weight: null, gradient: null, moment: { first, second } };
  const options = { lr, weightDecay: 0 };
  const group = await createGroup({
    optimizer: optimizers.adamw,
    options,
    precision,
    parameters: [parameter],
    seed: 1,
  });
  return [group, parameter];
}

/** The second moments a group holds. */
async function secondMoments(group: OptimizerGroup): Promise<Float64Array> {
  const { v } = group.slots[0].state;
  const raw = await readTensor(v);
  if (!isCoded(v)) return Float64Array.from(raw);
  const { format: coded } = v.encoding;
  const top = coded.coding.kind === "ladder" ? SECOND_MOMENT_TOP : 1;
  return Float64Array.from(raw, (code) => format(coded.name).decode(code) * top);
}

const sizeAt = (t: number): number => (t <= STEPS / 2 ? 10 ** ((-6 * t) / STEPS) : 1);
const gradientAt = (t: number): Float32Array =>
  Float32Array.from({ length: SIZE }, (_, i) => normal([t, 11], i) * sizeAt(t) * 2 ** ((i % 9) - 4) * 0.05);

async function tracking(): Promise<void> {
  const groups: OptimizerGroup[] = [];
  for (const [, first, second] of cases) groups.push((await groupOf(first, second, 1e-6))[0]);
  const lines = new Map(cases.map(([name]) => [name, [] as string[]]));
  for (let t = 1; t <= STEPS; t++) {
    const gradient = gradientAt(t);
    await device.step(() => {
      for (const group of groups) {
        const g = device.tensor(gradient, [64, 64]);
        group.step(new Map([[group.slots[0].parameter.tensor, g]]), { t, lrFactor: 1 });
      }
    });
    if (!SHOWN.includes(t)) continue;
    const exact = await secondMoments(groups[0]);
    for (const [k, [name]] of cases.entries()) {
      const ratios = [...(await secondMoments(groups[k]))].map((v, i) => Math.sqrt(v / exact[i]));
      const sorted = ratios.toSorted((a, b) => a - b);
      const at = (share: number): string => sorted[Math.floor(share * (SIZE - 1))].toFixed(2);
      lines.get(name)?.push(`${at(0.5)} (${at(0.005)}–${at(0.995)})`);
    }
  }
  print("√v over that of float32: median (99 % of weights)", lines);
}

async function training(): Promise<void> {
  const target = Float32Array.from({ length: SIZE }, (_, i) => normal([1, 1], i));
  const lines = new Map<string, string[]>();
  for (const [name, first, second] of cases) {
    const [group, parameter] = await groupOf(first, second, 0.01);
    const shown: string[] = [];
    for (let t = 1; t <= STEPS; t++) {
      const w = Float32Array.from(await readValues(parameter.tensor));
      const loss = w.reduce((sum, x, i) => sum + (x - target[i]) ** 2, 0) / SIZE;
      if (SHOWN.includes(t)) shown.push(loss.toExponential(2));
      const noisy = Float32Array.from(
        w,
        (x, i) => (x - target[i]) * 2 ** ((i % 9) - 4) + 0.1 * normal([t, 13], i),
      );
      const lrFactor = 1 - (t - 1) / STEPS;
      await device.step(() =>
        group.step(new Map([[parameter.tensor, device.tensor(noisy, [64, 64])]]), { t, lrFactor }),
      );
    }
    lines.set(name, shown);
  }
  print("mean squared distance to the answer", lines);
}

function print(title: string, lines: ReadonlyMap<string, readonly string[]>): void {
  console.log(`\n${title}\n\n| step | ${SHOWN.join(" | ")} |\n|---|${SHOWN.map(() => "---").join("|")}|`);
  for (const [name, cells] of lines) console.log(`| ${name} | ${cells.join(" | ")} |`);
}

await tracking();
await training();
await device.close();
