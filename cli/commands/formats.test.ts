import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { format, formatExamples } from "../../src/formats/format.ts";
import { runProgram } from "../run.ts";
import { command } from "./formats.ts";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "logrung-formats-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function run(words: readonly string[], terminal: { isTTY?: boolean; columns?: number } = {}, env = {}) {
  let out = "";
  let err = "";
  const code = await runProgram(["formats", ...words], [command], {
    stdout: { write: (text) => (out += text), ...terminal },
    stderr: { write: (text) => (err += text) },
    env,
    cwd: folder,
    signal: new AbortController().signal,
    version: "0.0.0",
  });
  return { code, out, err };
}

describe("formats", () => {
  it("lists every format, for people and for machines", async () => {
    const { code, out, err } = await run([]);
    expect([code, err]).toEqual([0, ""]);
    expect(out).toMatch(/^fp8-e4m3 +8 +448 +0\.015625 +0\.00195313 +5\.88 % +8 +0 NaN ±$/m);
    expect(out).toMatch(/^nvfp4 +4\.5 +fp4-e2m1 +16 +fp8-e4m3 /m);
    const list = JSON.parse((await run(["--json"])).out) as Record<string, { name: string }[]>;
    expect(list.formats.map(({ name }) => name)).toEqual(formatExamples());
    expect(list.formats[0]).toMatchObject({ name: "fp32", bits: 32, perOctave: [2 ** 23, 2 ** 23] });
    expect(list.blocks).toContainEqual(
      expect.objectContaining({ name: "mxint8", bits: 8.25, block: 32, scale: "e8m0" }),
    );
  });

  it("draws one, as wide as the terminal is, in the same letters with colours or without", async () => {
    const widthOf = (text: string): number => Math.max(...text.split("\n").map((line) => line.length));
    const narrow = await run(["lns8-g8"], { isTTY: true, columns: 90 });
    expect(narrow.out).toContain("lns8-g8");
    expect(widthOf(narrow.out)).toBe(90);
    expect((await run(["lns8-g8"], { columns: 90 }, { NO_COLOR: "1" })).out).toBe(narrow.out);
    // oxlint-disable-next-line no-control-regex -- control characters are what must not be there
    expect(narrow.out).not.toMatch(/\u001b/);
    expect((await run(["nvfp4"])).out).toContain("its elements:");
  });

  it("prints name, bits, info and the value of every code, and nothing else", async () => {
    const { out } = await run(["fp8-e5m2", "--json"]);
    const { info, decode } = format("fp8-e5m2");
    const values = Array.from({ length: 256 }, (_, code) => decode(code));
    const wanted = values.map((value) => (Number.isFinite(value) ? value : String(value)));
    expect(JSON.parse(out)).toEqual({ name: "fp8-e5m2", bits: 8, info, values: wanted });
    expect([wanted[0x7c], wanted[0x7d], wanted[0xfc]]).toEqual(["Infinity", "NaN", "-Infinity"]);
  });

  it("writes a page that needs nothing else", async () => {
    const { code, err, out } = await run(["fp4-e2m1", "--output", "page.html", "--json"]);
    expect([code, err]).toEqual([0, `formats: ${join(folder, "page.html")}\n`]);
    expect(() => JSON.parse(out) as unknown).not.toThrow();
    const page = await readFile(join(folder, "page.html"), "utf8");
    expect(page).toContain("<h1>fp4-e2m1</h1>");
    expect(page).not.toMatch(/<script|<link|\ssrc=|\shref=|url\(/);
  });

  it.each([
    [["lns8-q8"], 'unknown format "lns8-q8" (did you mean "lns8-g8"?'],
    [["mxfp4"], 'unknown format "mxfp4" (did you mean "mxfp4-e2m1"?'],
    [["lns8-g9"], "γ is 9, wants a power of two"],
    [["int8", "int4"], 'does not know what to do with "int4"'],
    [["--output", "page.html"], "--output wants a format"],
    [["int8", "--outputs", "x"], 'did you mean "--output"?'],
    [["int8", "--output"], "--output=<page.html>"],
  ])("refuses %j with code 2, and writes nothing", async (words, message) => {
    const { code, out, err } = await run(words);
    expect([code, out]).toEqual([2, ""]);
    expect(err).toContain(message);
    expect(err).toMatch(/^logrung: /);
    expect(await readdir(folder)).toEqual([]);
  });
});
