import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { floatBytes, floatValues } from "../../src/io/element-values.ts";
import { decodeNpy, encodeNpy, type NpyArray } from "../../src/io/npy.ts";
import { encodeSafetensors, type SafetensorsTensor } from "../../src/io/safetensors.ts";
import { runProgram } from "../run.ts";
import type { QuantizeReport } from "../quantize/report.ts";
import { command } from "./quantize.ts";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "logrung-quantize-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function run(words: readonly string[], signal = new AbortController().signal) {
  let out = "";
  let err = "";
  const code = await runProgram(["quantize", ...words], [command], {
    stdout: { write: (text) => (out += text) },
    stderr: { write: (text) => (err += text) },
    env: {},
    cwd: folder,
    signal,
    version: "0.0.0",
  });
  return { code, out, err };
}

const numbers = Float32Array.from({ length: 6 * 40 }, (_, i) => Math.sin(i * 1.7) * 2 ** (i % 5));
const matrix: NpyArray = {
  dtype: "f4",
  bigEndian: false,
  fortranOrder: false,
  shape: [6, 40],
  bytes: floatBytes(numbers, "f32"),
};
/** The same matrix with columns running fastest. */
const byColumns = numbers.map((_, at) => numbers[(at % 6) * 40 + Math.floor(at / 6)]);

const save = (name: string, parts: readonly Uint8Array[]): Promise<void> =>
  writeFile(join(folder, name), Buffer.concat(parts));
const saveMatrix = (change: Partial<NpyArray> = {}, name = "w.npy") =>
  save(name, encodeNpy({ ...matrix, ...change }));
const load = async (name: string): Promise<NpyArray> => decodeNpy(await readFile(join(folder, name)));
const report = async (...words: string[]) =>
  JSON.parse((await run([...words, "--json"])).out) as QuantizeReport;

const floats = (...values: number[]): SafetensorsTensor => ({
  dtype: "F32",
  shape: [values.length],
  bytes: new Uint8Array(Float32Array.from(values).buffer),
});

describe("quantize", () => {
  it("tells the error of each format, in a table and for machines", async () => {
    await saveMatrix();
    const { code, out, err } = await run(["w.npy", "--format", "fp8-e4m3,bf16", "--format=mxfp4-e2m1"]);
    expect([code, err]).toEqual([0, ""]);
    expect(out).toMatch(/^array +\[6, 40\] +fp8-e4m3 +8 +tensor +\d+\.\d\d +/m);
    expect(out).toMatch(/^ +mxfp4-e2m1 +4\.25 +32 e8m0 floor +/m);
    const { tensors, all } = await report("w.npy", "--format", "fp8-e4m3,fp32");
    expect(tensors).toMatchObject([{ name: "array", shape: [6, 40], dtype: "f4" }]);
    const [fp8, fp32] = tensors[0].formats;
    expect(fp8).toMatchObject({
      format: "fp8-e4m3",
      bits: 8,
      scale: "tensor",
      elements: 240,
      exact: false,
      nan: 0,
    });
    expect(fp8.sqnr).toBeGreaterThan(28);
    expect(fp8.maxRelativeErrorInRange).toBeLessThanOrEqual(1);
    expect(fp32).toMatchObject({
      format: "fp32",
      scale: "none",
      sqnr: null,
      exact: true,
      maxRelativeError: 0,
    });
    expect(all).toEqual(tensors[0].formats);
  });

  it("writes the array after quantising and decoding, in the type, shape and order it has", async () => {
    const words = ["--format", "mxfp6-e2m3", "--rounding", "stochastic", "--output", "out.npy"];
    await saveMatrix();
    expect((await run(["w.npy", ...words])).err).toBe(`quantize: ${join(folder, "out.npy")}\n`);
    const plain = await load("out.npy");
    expect(plain).toMatchObject({ dtype: "f4", shape: [6, 40], fortranOrder: false });
    const values = floatValues(plain.bytes, "f32");
    expect(values.some((value, i) => value !== numbers[i])).toBe(true);
    await saveMatrix({ fortranOrder: true, bytes: floatBytes(byColumns, "f32") });
    await run(["w.npy", ...words]);
    const fortran = await load("out.npy");
    expect(fortran).toMatchObject({ shape: [6, 40], fortranOrder: true });
    expect(floatValues(fortran.bytes, "f32")).toEqual(
      values.map((_, at) => values[(at % 6) * 40 + Math.floor(at / 6)]),
    );
    await saveMatrix({ dtype: "f8", bigEndian: true, bytes: floatBytes(numbers, "f64", true) });
    await run(["w.npy", ...words]);
    const wide = await load("out.npy");
    expect(wide).toMatchObject({ dtype: "f8", bigEndian: true });
    expect([...floatValues(wide.bytes, "f64", true)]).toEqual([...values]);
  });

  it("is idempotent: what was quantised stays as it is", async () => {
    await saveMatrix();
    await run(["w.npy", "--format", "int4", "--scale", "channel", "--output", "once.npy"]);
    const { tensors } = await report("once.npy", "--format", "int4", "--scale", "channel");
    expect(tensors[0].formats[0]).toMatchObject({ exact: true, saturated: 0, flushed: 0, scale: "channel" });
  });

  it("reads every tensor of a safetensors file, and names those without floats", async () => {
    const half = {
      dtype: "F16",
      shape: [2],
      bytes: new Uint8Array(Uint16Array.of(0x3c00, 0xc100).buffer),
    } as const;
    const brain = { dtype: "BF16", shape: [1, 1], bytes: Uint8Array.of(0x80, 0xbf) } as const;
    const codes = { dtype: "U8", shape: [3], bytes: Uint8Array.of(1, 2, 3) } as const;
    await save("m.safetensors", encodeSafetensors({ half, brain, codes, b: floats(1, 300, 5) }));
    const { out, err } = await run(["m.safetensors", "--format", "fp8-e4m3", "--scale=none", "--json"]);
    expect(err).toBe("quantize: no floats, skipped: codes (U8)\n");
    const { tensors, all } = JSON.parse(out) as QuantizeReport;
    expect(tensors.map(({ name, dtype, shape }) => [name, dtype, shape])).toEqual([
      ["b", "F32", [3]],
      ["brain", "BF16", [1, 1]],
      ["half", "F16", [2]],
    ]);
    expect(all[0]).toMatchObject({ elements: 6, exact: false, maxRelativeError: 0.04 });
    await save("one.safetensors", encodeSafetensors({ brain }));
    expect((await run(["one.safetensors", "--format", "int8", "--output", "out.npy"])).code).toBe(0);
    expect(await load("out.npy")).toMatchObject({ dtype: "f4", shape: [1, 1] });
  });

  it("draws a page that needs nothing else", async () => {
    await save("<w>.safetensors", encodeSafetensors({ "a<b>": floats(1, 2, 3.3), b: floats(4, 0) }));
    const words = [
      "<w>.safetensors",
      "--format",
      "fp32,bf16,int8,int4,lns8-g8,nvfp4,mxint8",
      "--html",
      "p.html",
    ];
    expect((await run(words)).err).toBe(`quantize: ${join(folder, "p.html")}\n`);
    const page = await readFile(join(folder, "p.html"), "utf8");
    expect(page).not.toMatch(/<script|<link|<b>a|<w>|\ssrc=|\shref=|url\(|undefined|NaN/);
    expect(page).toContain("a&lt;b&gt;</text>");
    expect(page.match(/<rect /g)?.length).toBe(14);
    expect(page).toContain("exact</text>");
  });

  it("refuses NaN and Inf, or counts them where that is asked for", async () => {
    const broken = numbers.slice();
    broken.set([NaN, 3, -Infinity], 41);
    await saveMatrix({ bytes: floatBytes(broken, "f32") });
    const { code, out, err } = await run(["w.npy", "--format", "int8"]);
    expect([code, out]).toEqual([2, ""]);
    expect(err).toContain(
      '"array"[1, 1] is NaN (1 NaN, 1 infinite in all): mend the array, or say --nan allow',
    );
    const { tensors } = await report("w.npy", "--format", "int8,mxfp8-e4m3", "--nan", "allow");
    const [int8, blocks] = tensors[0].formats;
    expect(int8).toMatchObject({ nan: 1, infinite: 1, lost: 0, saturated: 0 });
    expect(blocks).toMatchObject({ nan: 1, infinite: 1, lost: 30 });
    expect((await run(["w.npy", "--format", "int8", "--nan", "allow"])).out).toContain("1 NaN, 1 infinite");
  });

  it("says how many numbers float16 cannot hold", async () => {
    await saveMatrix({ dtype: "f2", shape: [2], bytes: floatBytes(Float32Array.of(65504, 1), "f16") });
    const { err } = await run(["w.npy", "--format", "e8m0", "--output", "out.npy"]);
    expect(err).toContain("1 numbers are beyond float16 and were written as Inf");
  });

  it("takes a single number and an empty array", async () => {
    await saveMatrix({ shape: [], bytes: floatBytes(Float32Array.of(3), "f32") });
    expect((await report("w.npy", "--format", "nvfp4,int8")).tensors[0].formats[1]).toMatchObject({
      elements: 1,
    });
    await saveMatrix({ shape: [0, 4], bytes: new Uint8Array(0) });
    const { code, out } = await run(["w.npy", "--format", "int8,mxint8", "--output=x.npy"]);
    expect([code, out]).toEqual([2, ""]);
    expect((await run(["w.npy", "--format", "mxint8", "--output=x.npy"])).out).toContain("exact");
    expect(await load("x.npy")).toMatchObject({ shape: [0, 4] });
  });

  it("stops when it is told to, and leaves nothing behind", async () => {
    await saveMatrix();
    const words = ["w.npy", "--format", "int8", "--html", "p.html", "--output", "x.npy"];
    expect(await run(words, AbortSignal.abort())).toMatchObject({ code: 130, out: "" });
    expect(await readdir(folder)).toEqual(["w.npy"]);
  });
});

/** Words after a good file, and what the message must hold. */
const wrong: Record<string, readonly [words: readonly string[], message: string]> = {
  "no format": [["w.npy"], "quantize to which format?"],
  "no file": [["--format", "int8"], "is told too little; usage: logrung quantize <file.npy"],
  "two files": [["w.npy", "x.npy", "--format", "int8"], 'does not know what to do with "x.npy"'],
  "an unknown format": [["w.npy", "--format", "mxfp8-e4m2"], 'did you mean "mxfp8-e4m3"?'],
  "an unknown option": [["w.npy", "--formats", "int8"], 'did you mean "--format"?'],
  "an unknown rounding": [
    ["w.npy", "--format", "int8", "--rounding", "nearest"],
    'did you mean "nearest-even"?',
  ],
  "a block size there is not": [["w.npy", "--format", "mxint8", "--block", "20"], '--block is "20"'],
  "a block size that does not go with it": [
    ["w.npy", "--format", "nvfp4", "--block", "32"],
    "block size 32 of nvfp4, wants 16",
  ],
  "a block size without blocks": [
    ["w.npy", "--format", "int8", "--block", "32"],
    "--block is for block scales",
  ],
  "an unknown scale rule": [["w.npy", "--format", "mxint8", "--scale-rule", "flor"], 'did you mean "floor"?'],
  "an unknown scale": [["w.npy", "--format", "int8", "--scale", "tensors"], 'did you mean "tensor"?'],
  "a scale of zero": [["w.npy", "--format", "int8", "--scale", "0"], "--scale is 0, wants a positive number"],
  "a scale of blocks that have their own": [
    ["w.npy", "--format", "mxint8", "--scale", "tensor"],
    "leave out --scale=tensor",
  ],
  "an axis there is not": [
    ["w.npy", "--format", "int8", "--axis", "2"],
    "has no axis 2: wants --axis from -2 to 1",
  ],
  "an axis that is no number": [
    ["w.npy", "--format", "int8", "--axis", "x"],
    '--axis is "x", wants a whole number',
  ],
  "a negative seed": [
    ["w.npy", "--format", "int8", "--seed=-1"],
    '--seed is "-1", wants a whole number >= 0',
  ],
  "two formats in one output": [
    ["w.npy", "--format", "int8,int4", "--output", "x.npy"],
    "one format (came 2)",
  ],
  "an output of another kind": [["w.npy", "--format", "int8", "--output", "x.bin"], "wants a file *.npy"],
  "writing over the input": [
    ["w.npy", "--format", "int8", "--output", "./w.npy"],
    "is the file that is read",
  ],
  "a file that is not there": [["none.npy", "--format", "int8"], "no such file or folder"],
  "a file of another kind": [["text.npy", "--format", "int8"], "byte 0: it does not begin as one does"],
  "a broken safetensors file": [["text.bin", "--format", "int8"], "is not a valid safetensors file"],
  "a file cut off": [["cut.npy", "--format", "int8"], "byte 500: the file ends here, 588 bytes too early"],
  integers: [["i.npy", "--format", "int8"], 'holds i4, not floats: convert it with array.astype("float32")'],
  "a file of integers only": [["i.safetensors", "--format", "int8"], "holds no floats: a (U8)"],
};

describe("quantize refuses", () => {
  it.each(Object.entries(wrong))("%s, with code 2, and writes nothing", async (_, [words, message]) => {
    await saveMatrix();
    await save("cut.npy", [Buffer.concat(encodeNpy(matrix)).subarray(0, 500)]);
    await saveMatrix({ dtype: "i4" }, "i.npy");
    await save(
      "i.safetensors",
      encodeSafetensors({ a: { dtype: "U8", shape: [1], bytes: Uint8Array.of(1) } }),
    );
    for (const name of ["text.npy", "text.bin"]) await writeFile(join(folder, name), "not an array");
    const before = await readdir(folder);
    const { code, out, err } = await run(words);
    expect(err).toContain(message);
    expect(err).toMatch(/^logrung: /);
    expect(err).not.toMatch(/unexpected|\n\s+at /);
    expect([code, out]).toEqual([2, ""]);
    expect(await readdir(folder)).toEqual(before);
  });
});
