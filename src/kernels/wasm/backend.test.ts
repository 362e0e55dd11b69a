import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { afterEach, describe, expect, it } from "vitest";
import type { Backend } from "../backend.ts";
import { gemm } from "../gemm.ts";
import { pointwise } from "../pointwise.ts";
import { element, output } from "../signature.ts";
import { Module } from "./assembler.ts";
import { scratchOf } from "./control.ts";
import { createWasmBackend, describeEngine, WorkerError, type WasmOptions } from "./index.ts";
import { probeEngine } from "./engine.ts";
import { Heap } from "./memory.ts";
import { Pool } from "./pool.ts";

const open: { close(): Promise<void> }[] = [];
const create = async (options: WasmOptions) => {
  const backend = await createWasmBackend(options);
  open.push(backend);
  return backend;
};
afterEach(async () => {
  for (const each of open.splice(0)) await each.close();
});

const increment = pointwise("increment", { x: element("f32") }, {}, ({ x }) => ({
  x: output("f32", x.add(1)),
}));

function incrementCall(backend: Backend, length: number) {
  const buffer = backend.allocate(length * 4);
  backend.write({ buffer, offset: 0 }, new Float32Array(length));
  return { inputs: { x: { buffer, offset: 0 } }, outputs: {}, sizes: { rows: 1, columns: length } };
}

describe("the wasm backend", () => {
  it("copies data in and out, at offsets, across growth of the memory", async () => {
    for (const shared of [true, false]) {
      const backend = await create({ threads: 1, features: { shared } });
      const small = backend.allocate(64);
      backend.write({ buffer: small, offset: 16 }, new Int32Array([1, -2, 3]));
      const call = incrementCall(backend, 3_000_000);
      backend.run(backend.compile(increment), call);
      expect([...(await backend.read({ buffer: small, offset: 20 }, "i32", 2))]).toEqual([-2, 3]);
      expect((await backend.read(call.inputs.x, "f32", 3_000_000)).every((x) => x === 1)).toBe(true);
    }
  });

  it("refuses reads and writes past the end, and buffers that were freed", async () => {
    const backend = await create({ threads: 1 });
    const buffer = backend.allocate(64);
    expect(() => backend.write({ buffer, offset: 60 }, new Float32Array(2))).toThrow(RangeError);
    await expect(backend.read({ buffer, offset: 0 }, "f32", 17)).rejects.toThrow(RangeError);
    backend.free(buffer);
    expect(() => backend.write({ buffer, offset: 0 }, new Float32Array(2))).toThrow(/was freed/);
  });

  it("runs one kernel on many tensors in one dispatch, whatever their sizes", async () => {
    for (const options of [{ threads: 1, features: { shared: false } }, { threads: 2 }]) {
      const backend = await create(options);
      const lengths = [5, 0, 200_000, 64, 1, 129, 70_000, ...Array.from({ length: 40 }, (_, i) => 3 * i)];
      const calls = lengths.map((length) => incrementCall(backend, length));
      for (let round = 0; round < 2; round++) backend.runAll(backend.compile(increment), calls);
      backend.runAll(backend.compile(increment), []);
      for (const [i, length] of lengths.entries()) {
        const values = await backend.read(calls[i].inputs.x, "f32", length);
        expect(values.every((x) => x === 2)).toBe(true);
      }
      const short = { ...calls[2], sizes: { rows: 1, columns: 200_001 } };
      expect(() => backend.runAll(backend.compile(increment), [calls[0], short])).toThrow(RangeError);
      expect((await backend.read(calls[0].inputs.x, "f32", 1))[0]).toBe(2);
    }
  });

  it("refuses executables of another backend, and runs after close", async () => {
    const [a, b] = [await create({ threads: 2 }), await create({ threads: 1 })];
    const call = incrementCall(a, 100_000);
    expect(() => a.run(b.compile(increment), call)).toThrow(/compiled by another backend/);
    await a.close();
    expect(() => a.run(a.compile(increment), call)).toThrow(/closed/);
  });

  it("refuses nonsense options", async () => {
    await expect(createWasmBackend({ threads: 0 })).rejects.toThrow(/threads is 0/);
    await expect(createWasmBackend({ microKernel: "7x7" })).rejects.toThrow(/unknown micro-kernel "7x7"/);
  });

  it("describes itself", async () => {
    const backend = await create({ threads: 2 });
    const blocks = backend.blockKernels();
    expect(blocks.map(({ format }) => format)).toEqual(["mxfp4-e2m1", "mxfp6-e2m3", "mxint8"]);
    for (const { gflops } of blocks) expect(gflops).toBeGreaterThan(0);
    const lines = Object.fromEntries(describeEngine(backend.info, blocks));
    expect(lines["mxfp4-e2m1"]).toContain(blocks[0].microKernel);
    expect(lines.engine).toContain(process.versions.node);
    expect(lines.threads).toMatch(/^2 of/);
    expect(backend.info.candidates.length).toBeGreaterThan(0);
  });

  it("survives many dispatches, awake and asleep", async () => {
    const backend = await create({ threads: 2 });
    const executable = backend.compile(increment);
    const tiny = incrementCall(backend, 5);
    const shared = incrementCall(backend, 100_000);
    for (let i = 0; i < 100_000; i++) backend.run(executable, tiny);
    for (let i = 0; i < 1000; i++) backend.run(executable, shared);
    for (let i = 0; i < 20; i++) {
      await new Promise((resolve) => setTimeout(resolve, 2));
      backend.run(executable, shared);
    }
    expect([...(await backend.read(tiny.inputs.x, "f32", 5))]).toEqual(Array(5).fill(100_000));
    expect((await backend.read(shared.inputs.x, "f32", 100_000)).every((x) => x === 1020)).toBe(true);
  });

  it("brings kernels compiled late to all threads", async () => {
    const backend = await create({ threads: 3 });
    const call = incrementCall(backend, 100_000);
    for (let i = 1; i <= 80; i++) {
      const kernel = pointwise(`add ${i}`, { x: element("f32") }, {}, ({ x }) => ({ x: output("f32", x.add(i)) }));
      backend.run(backend.compile(kernel), call);
    }
    expect((await backend.read(call.inputs.x, "f32", 100_000)).every((x) => x === 3240)).toBe(true);
  }); // prettier-ignore

  it("shares a product among more threads than there are processors", async () => {
    const backend = await create({ threads: 5 });
    const place = (data: Float32Array) => {
      const buffer = backend.allocate(data.byteLength);
      backend.write({ buffer, offset: 0 }, data);
      return { buffer, offset: 0 };
    };
    const n = 300;
    const a = place(Float32Array.from({ length: n * n }, (_, i) => (i % n === Math.floor(i / n) ? 2 : 0)));
    const data = Float32Array.from({ length: n * n }, (_, i) => i % 101);
    const c = place(new Float32Array(n * n));
    const strides = { row: n, column: 1 };
    const sizes = { m: n, n, k: n, a: strides, b: strides, c: { row: n } };
    const executable = backend.compile(gemm("plain", "f32", "f32"));
    const b = place(data);
    for (let i = 0; i < 30; i++) backend.run(executable, { inputs: { a, b }, outputs: { c }, sizes });
    expect([...(await backend.read(c, "f32", n * n))]).toEqual(Array.from(data, (x) => 2 * x));
  });
});

describe("Pool", () => {
  const start = async (threads: number) => {
    const engine = probeEngine();
    const heap = new Heap(2 ** 24, scratchOf(threads), true);
    const target = { relaxedSimd: false, revectorize: false, shared: true, maximumPages: heap.maximumPages };
    const pool = await Pool.start(heap.memory, threads, target, engine.compile);
    open.push(pool);
    const install = (trapping: number) => {
      const module = new Module(target);
      module.function(["i32", "i32", "i32", "i32"], [], "run", (code, thread) => {
        code.get(thread).i32(trapping).op("i32.eq");
        code.if(() => code.op("unreachable"));
      });
      return pool.install(engine.compile(module.encode()));
    };
    return { pool, install };
  };

  it.each([0, 1, 2])("throws, and does not hang, when thread %i traps", async (trapping) => {
    const { pool, install } = await start(3);
    const fine = install(-1);
    pool.dispatch(fine, 3);
    expect(() => pool.dispatch(install(trapping), 3)).toThrow(WorkerError);
    expect(() => pool.dispatch(fine, 3)).toThrow(WorkerError);
  });

  it("throws when a worker is gone", async () => {
    const { pool, install } = await start(2);
    const fine = install(-1);
    pool.dispatch(fine, 2);
    await pool["others"][0].terminate();
    expect(() => pool.dispatch(fine, 2)).toThrow(WorkerError);
  });
});

describe("a process that never closes its backend", () => {
  // Needs an engine that runs TypeScript files as they are.
  it.skipIf(!("typescript" in process.features))("ends by itself", async () => {
    const url = new URL("./index.ts", import.meta.url);
    const source = `
      const { createWasmBackend } = await import(${JSON.stringify(url.href)});
      const backend = await createWasmBackend({ threads: 2 });
      process.stdout.write("made " + backend.info.threads);`;
    const flags = ["--input-type=module", "-e", source];
    const { stdout } = await promisify(execFile)(process.execPath, flags, { timeout: 20_000 });
    expect(stdout).toBe("made 2");
  });
});
