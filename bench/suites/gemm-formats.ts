/** gemm by format: float32, an operand of 8-bit logarithmic codes, and MX blocks on both sides. */
import type { Backend } from "../../src/kernels/backend.ts";
import { createWasmBackend } from "../../src/kernels/wasm/index.ts";
import { onTwoThreads, type Context, type Row, type Suite, type Target } from "../suite.ts";
import { interleave, median, pairedRatio } from "../timing.ts";
import { gflops, squareProduct, type Product } from "../work/gemm.ts";
import { mxFormats, squareMxProduct, type MxName } from "../work/mx-gemm.ts";

const SIZES = [256, 512, 1024, 2048];
/** The size that targets are for. */
const MAIN = 1024;

type Name = "float32" | "lns8" | MxName;
const names: readonly Name[] = ["float32", "lns8", "mxfp8", "mxfp6", "mxfp4"];

const isMx = (name: Name): name is MxName => name in mxFormats;

async function productOf(backend: Backend, n: number, name: Name): Promise<Product> {
  if (isMx(name)) return squareMxProduct(backend, n, name);
  return squareProduct(backend, n, name === "lns8" ? "coded" : "f32");
}

/** GFLOP/s on two threads with 256-bit registers, and how often the rate of float32 without them. */
const RATES: Readonly<Partial<Record<Name, Target>>> = { mxfp4: { atLeast: 280 }, mxfp6: { atLeast: 235 } };
const NARROW: Readonly<Partial<Record<Name, Target>>> = { mxfp4: { atLeast: 1.7 }, mxfp6: { atLeast: 1.35 } };

/** Kernels as browsers run them. Its memory has another limit, or the engine would reuse the code for wide registers. */
const narrowBackend = (threads: number) =>
  createWasmBackend({ threads, features: { revectorize: false }, maximumBytes: 2 ** 31 });

async function measureAll(context: Context): Promise<Row[]> {
  const { threads, quick } = context;
  const wide = await createWasmBackend({ threads });
  const narrow = await narrowBackend(threads);
  const products: Product[] = [];
  for (const n of SIZES) for (const name of names) products.push(await productOf(wide, n, name));
  for (const name of names) products.push(await productOf(narrow, MAIN, name));
  const sampling = { samples: quick ? 5 : 15, milliseconds: quick ? 10 : 20 };
  const times = await interleave(products.map(({ run }) => run), sampling); // prettier-ignore
  await wide.close();
  await narrow.close();
  const rates = SIZES.flatMap((n, i) =>
    names.map((name, j) => {
      const target = n === MAIN && wide.info.revectorize ? RATES[name] : undefined;
      return rateRow(
        `${name} ${n}³`,
        n,
        times[i * names.length + j],
        target && onTwoThreads(context, target),
      );
    }),
  );
  const main = SIZES.indexOf(MAIN) * names.length;
  const last = SIZES.length * names.length;
  const others = names.slice(1);
  return [
    ...rates,
    ...others.map((name, j) => ratioRow(`${name} ${MAIN}³`, times[main], times[main + j + 1])),
    rateRow(`float32 ${MAIN}³, 128-bit registers`, MAIN, times[last]),
    ...others.map((name, j) =>
      ratioRow(`${name} ${MAIN}³, 128-bit registers`, times[last], times[last + j + 1], NARROW[name]),
    ),
  ];
}

function rateRow(
  name: string,
  n: number,
  times: readonly number[],
  target?: { readonly target?: Target },
): Row {
  const [value, best] = [median(times), Math.min(...times)].map((time) => gflops(n, time));
  return { name, value, best, unit: "GFLOP/s", ...target };
}

const ratioRow = (name: string, base: readonly number[], times: readonly number[], target?: Target): Row => ({
  name: `${name} against float32`,
  value: pairedRatio(base, times),
  unit: "×",
  ...(target ? { target } : {}),
});

export const suite: Suite = {
  name: "gemm-formats",
  summary: "matrix products by format: float32, lns8, mxfp8, mxfp6, mxfp4; activations quantised on the way",
  byDefault: true,
  run: measureAll,
};
