/** What the JavaScript engine offers to wasm modules, and how to switch it on. */
import { Module } from "./assembler.ts";
import { builtin, nodeMajor } from "./host.ts";

/** An engine, probed. */
export interface Engine {
  /** For people: "Node 24.21.0, V8 13.6.233.17", or "browser". */
  readonly host: string;
  /** Major version of Node, 0 elsewhere. */
  readonly node: number;
  /** Flags that `compile` switches on. */
  readonly flags: readonly string[];
  readonly relaxedSimd: boolean;
  /** The flag for 256-bit fusion is on; whether it does anything only a timing can tell. */
  readonly revectorize: boolean;
  readonly shared: boolean;
  readonly processors: number;
  /** Compiles a module by the optimising compiler at once, so that no first run is slow. */
  compile(bytes: Uint8Array<ArrayBuffer>): WebAssembly.Module;
}

type V8 = typeof import("node:v8");
type Os = typeof import("node:os");

const REVECTORIZE = "--experimental-wasm-revectorize";

/**
 * Flags by version of Node. Revectorising fuses pairs of 128-bit operations; Turboshaft keeps loads in order
 * (before it a 6×8 block of accumulators spills); relaxed SIMD gives the fused multiply-add.
 */
function featureFlags(node: number): readonly string[] {
  if (node >= 24) return [REVECTORIZE];
  if (node >= 22) return ["--turboshaft-wasm"];
  if (node >= 20) return ["--experimental-wasm-relaxed-simd"];
  return [];
}

/**
 * Compile eagerly, by the optimising compiler alone: under a millisecond a kernel, and it is fast from the
 * first call.
 */
const EAGER_FLAGS = ["--no-liftoff", "--no-wasm-lazy-compilation"];

/** The flag that undoes a flag: "--no-x" for "--x" and the other way round. */
const opposite = (flag: string): string =>
  flag.startsWith("--no-") ? `--${flag.slice(5)}` : `--no-${flag.slice(2)}`;

/**
 * Probes the engine. Flags are on only while one of our own modules is compiled, so that no other module of
 * the process is compiled by an experimental path; flags that the user gave to Node stay as they are.
 *
 * @param wide  false leaves 256-bit fusion off, as in browsers.
 */
export function probeEngine(wide = true): Engine {
  const node = nodeMajor();
  const v8 = node > 0 ? builtin<V8>("node:v8") : undefined;
  const wanted = featureFlags(node).filter((flag) => wide || flag !== REVECTORIZE);
  const flags = v8 ? [...wanted, ...EAGER_FLAGS] : [];
  const given = v8 ? process.execArgv : [];
  const scoped = flags.filter((flag) => !given.includes(flag));
  const withFlags = <T>(work: () => T): T => {
    for (const flag of scoped) v8?.setFlagsFromString(flag);
    try {
      return work();
    } finally {
      for (const flag of scoped) v8?.setFlagsFromString(opposite(flag));
    }
  };
  return {
    host: node > 0 ? `Node ${process.versions.node}, V8 ${process.versions.v8}` : "browser",
    node,
    flags,
    relaxedSimd: withFlags(() => WebAssembly.validate(relaxedModule())),
    revectorize: wide && node >= 24,
    shared: typeof SharedArrayBuffer === "function" && canShare(),
    processors:
      builtin<Os>("node:os")?.availableParallelism() ?? globalThis.navigator?.hardwareConcurrency ?? 1,
    compile: (bytes) => withFlags(() => new WebAssembly.Module(bytes)),
  };
}

/** In a page without cross-origin isolation a shared memory cannot be sent to workers. */
function canShare(): boolean {
  const isolated = (globalThis as { crossOriginIsolated?: boolean }).crossOriginIsolated;
  return isolated !== false || nodeMajor() > 0;
}

function relaxedModule(): Uint8Array<ArrayBuffer> {
  const module = new Module({ maximumPages: 1, shared: false });
  module.function(["v128"], ["v128"], null, (code, x) => {
    code.get(x).get(x).get(x).op("f32x4.relaxed_madd");
  });
  return module.encode();
}
