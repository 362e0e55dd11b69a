/** gemm: rates by size and number of threads, the cost of a coded operand, small sizes. */
import { createWasmBackend } from "../../src/kernels/wasm/index.ts";
import { onTwoThreads, type Context, type Row, type Suite, type Target } from "../suite.ts";
import { interleave, median, pairedRatio, type Sampling } from "../timing.ts";
import { gflops, squareProduct } from "../work/gemm.ts";

/** The size whose rate stands for the machine's best. */
const MAIN = 1024;
const SMALL = 64;
const SIZES = [SMALL, 256, 512, MAIN, 2048];

/** Milliseconds a run of each product, sample by sample. */
interface Times {
  readonly [size: number]: readonly number[];
  readonly coded: readonly number[];
}

/** The rate on two threads that this version of Node allows: 256-bit registers from 24 on. */
const mainTarget = (): Target => ({ atLeast: Number.parseInt(process.versions.node) >= 24 ? 195 : 88 });

async function timesOf(threads: readonly number[], sampling: Sampling): Promise<Times[]> {
  const backends = await Promise.all(threads.map((count) => createWasmBackend({ threads: count })));
  const products = [];
  for (const n of SIZES) for (const backend of backends) products.push(await squareProduct(backend, n));
  for (const backend of backends) products.push(await squareProduct(backend, MAIN, "coded"));
  const times = await interleave(
    products.map((product) => product.run),
    sampling,
  );
  await Promise.all(backends.map((backend) => backend.close()));
  return backends.map((_, i) => {
    const of = (product: number): readonly number[] => times[product * backends.length + i];
    return { ...Object.fromEntries(SIZES.map((n, j) => [n, of(j)])), coded: of(SIZES.length) };
  });
}

const plural = (threads: number): string => `${threads} thread${threads === 1 ? "" : "s"}`;

function rateRow(n: number, threads: number, times: Times, target?: Target): Row {
  const [value, best] = [median(times[n]), Math.min(...times[n])].map((time) => gflops(n, time));
  const name = `gemm ${n}³, ${plural(threads)}`;
  return { name, value, best, unit: "GFLOP/s", ...(target ? { target } : {}) };
}

const codedRow = (threads: number, times: Times): Row => ({
  name: `gemm ${MAIN}³ with 8-bit codes, ${plural(threads)}`,
  value: (pairedRatio(times.coded, times[MAIN]) - 1) * 100,
  unit: "% more time",
  target: { atMost: 5 },
  note: "lns8-g16 operand against float32",
});

/** Rates on one thread: how near a small product comes to a big one. */
const smallRow = (one: Times): Row => ({
  name: `gemm ${SMALL}³ against ${MAIN}³, 1 thread`,
  value: pairedRatio(one[MAIN], one[SMALL]) * (SMALL / MAIN) ** 3 * 100,
  unit: "% of the rate",
  target: { atLeast: 60 },
});

async function measureAll(context: Context): Promise<Row[]> {
  const { threads, quick } = context;
  const sampling = { samples: quick ? 5 : 21, milliseconds: quick ? 15 : 30 };
  const [one, all] = await timesOf(threads > 1 ? [1, threads] : [1], sampling);
  const rows = [...SIZES.map((n) => rateRow(n, 1, one)), smallRow(one), codedRow(1, one)];
  if (!all) return rows;
  const { target } = onTwoThreads(context, mainTarget());
  const ratio: Row = {
    name: `gemm ${MAIN}³, ${plural(threads)} against 1`,
    value: pairedRatio(one[MAIN], all[MAIN]),
    unit: "×",
    ...onTwoThreads(context, { atLeast: 1.8 }),
  };
  const rates = SIZES.map((n) => rateRow(n, threads, all, n === MAIN ? target : undefined));
  return [...rows, ...rates, ratio, codedRow(threads, all)];
}

export const suite: Suite = {
  name: "gemm",
  summary: "matrix products of 64³ to 2048³, one thread and all, float32 and 8-bit codes",
  byDefault: true,
  run: measureAll,
};
