/** What was found and chosen, for `doctor` and run records. */
import { blockFormat } from "../../formats/block-format.ts";
import type { Calibration } from "./calibrate.ts";
import type { Engine } from "./engine.ts";
import type { Target } from "./lowering.ts";
import type { MxCalibration } from "./mx-calibrate.ts";
import { methodsOf } from "./mx-plan.ts";

/** The micro-kernel that products of a block format go through. */
export interface BlockKernel {
  /** The format of both operands: "mxfp4-e2m1". */
  readonly format: string;
  /** Its name and how it multiplies: "dot 6x16". */
  readonly microKernel: string;
  /** Its rate on one thread, GFLOP/s. */
  readonly gflops: number;
}

/** How a wasm backend is set up. */
export interface WasmInfo {
  /** "Node 24.21.0, V8 13.6.233.17", or "browser". */
  readonly host: string;
  /** Engine flags that are on while kernels are compiled. */
  readonly flags: readonly string[];
  readonly threads: number;
  readonly processors: number;
  readonly sharedMemory: boolean;
  /** Fused multiply-add. */
  readonly relaxedSimd: boolean;
  /** 256-bit registers through the engine's fusion of pairs. */
  readonly revectorize: boolean;
  /** The gemm micro-kernel in use and its rate on one thread, GFLOP/s. */
  readonly microKernel: string;
  readonly gflops: number;
  /** Every micro-kernel that works here, fastest first. */
  readonly candidates: readonly { readonly name: string; readonly gflops: number }[];
  /** What another engine would give; null when this one gives all. */
  readonly advice: string | null;
}

export function describe(
  engine: Engine,
  target: Target,
  { chosen, candidates }: Calibration,
  threads: number,
): WasmInfo {
  return {
    host: engine.host,
    flags: engine.flags,
    threads,
    processors: engine.processors,
    sharedMemory: target.shared,
    relaxedSimd: target.relaxedSimd,
    revectorize: target.revectorize,
    microKernel: chosen.variant.name,
    gflops: chosen.gflops,
    candidates: candidates.map(({ variant, gflops }) => ({ name: variant.name, gflops })),
    advice: advice(engine, target),
  };
}

/** Formats whose elements are small integers. */
const INTEGER_FORMATS = ["mxfp4-e2m1", "mxfp6-e2m3", "mxint8"] as const;

/** The micro-kernels of block formats; times those that no kernel has asked for yet. */
export function describeBlocks(calibration: MxCalibration, relaxedSimd: boolean): readonly BlockKernel[] {
  return INTEGER_FORMATS.flatMap((format) => {
    const { element, block } = blockFormat(format);
    const { coding } = element;
    if (coding.kind !== "float" && coding.kind !== "integer") return [];
    const operand = { source: "codes", element: coding } as const;
    const { variant, gflops } = calibration.choose(methodsOf({ block, a: operand, b: operand }, relaxedSimd));
    return [{ format, microKernel: variant.name, gflops }];
  });
}

/**
 * The lines `doctor` prints: [what, how it is].
 *
 * @param blocks  micro-kernels of block formats, one line each; default none.
 * @example for (const [what, how] of describeEngine(backend.info)) console.log(`${what}: ${how}`);
 */
export function describeEngine(
  info: WasmInfo,
  blocks: readonly BlockKernel[] = [],
): readonly (readonly [string, string])[] {
  const rates = info.candidates.map(({ name, gflops }) => `${name} ${gflops.toFixed(0)}`).join(", ");
  const lines: [string, string][] = [
    ["engine", info.host],
    ["engine flags", info.flags.join(" ") || "none"],
    [
      "threads",
      `${info.threads} of ${info.processors}${info.sharedMemory ? "" : " (memory cannot be shared)"}`,
    ],
    ["fused multiply-add", info.relaxedSimd ? "yes (relaxed SIMD)" : "no"],
    ["256-bit registers", info.revectorize ? "yes" : "no"],
    ["gemm kernel", `${info.microKernel}, ${info.gflops.toFixed(0)} GFLOP/s a thread`],
    ["gemm kernels tried", `${rates} (GFLOP/s)`],
    ...blocks.map(({ format, microKernel, gflops }): [string, string] => [
      format,
      `${microKernel}, ${gflops.toFixed(0)} GFLOP/s a thread`,
    ]),
  ];
  if (info.advice) lines.push(["advice", info.advice]);
  return lines;
}

function advice(engine: Engine, target: Target): string | null {
  if (!target.shared) return "a cross-origin isolated page (COOP and COEP headers) would allow threads";
  if (engine.node > 0 && engine.node < 24)
    return "Node 24 or newer would use 256-bit registers: about twice the speed where the processor has AVX2";
  if (!target.relaxedSimd) return "an engine with relaxed SIMD would fuse multiply and add";
  return null;
}
