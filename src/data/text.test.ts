import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Corpus, splitCorpus } from "./corpus.ts";
import { DataError } from "./data-error.ts";
import { findFiles } from "./files.ts";
import { loadOwnSource, packageRoot } from "./own-source.ts";
import { loadText } from "./text.ts";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "logrung-text-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function put(path: string, content: string | Uint8Array): Promise<void> {
  await mkdir(join(folder, path, ".."), { recursive: true });
  await writeFile(join(folder, path), content);
}

/** The files found, relative to the folder. */
const names = async (...given: string[]) =>
  (await findFiles(given, folder)).map((path) => path.slice(folder.length + 1));
const load = (path: string, limit?: number) => loadText(path, { cwd: folder, ...(limit && { limit }) });
const blank = (length: number): Corpus => ({
  name: "t",
  sources: [],
  bytes: new Uint8Array(length),
  sha256: "",
});
const textOf = (corpus: Corpus) => new TextDecoder().decode(corpus.bytes);

describe("findFiles", () => {
  beforeEach(async () => {
    for (const path of ["b.txt", "a.txt", "x.md", ".hidden", "sub/c.txt", "sub/deep/d.txt"])
      await put(path, "t");
    await put("node_modules/m.txt", "t");
  });

  it.each([
    [
      ["b.txt", "a.txt"],
      ["b.txt", "a.txt"],
    ],
    [["b.txt", "b.txt"], ["b.txt"]],
    [["."], ["a.txt", "b.txt", "sub/c.txt", "sub/deep/d.txt", "x.md"]],
    [["*.txt"], ["a.txt", "b.txt"]],
    [["?.*"], ["a.txt", "b.txt", "x.md"]],
    [["**/*.txt"], ["a.txt", "b.txt", "sub/c.txt", "sub/deep/d.txt"]],
    [["sub/**"], ["sub/c.txt", "sub/deep/d.txt"]],
    [["sub/**/d.txt"], ["sub/deep/d.txt"]],
  ])("%j gives %j", async (given, found) => expect(await names(...given)).toEqual(found));

  it("refuses what is not there", async () => {
    await expect(names("no.txt")).rejects.toThrow('data "no.txt": no such file or folder');
    await expect(names("a.txt/b")).rejects.toThrow(DataError);
    await expect(names("*.pdf")).rejects.toThrow('data "*.pdf": matches no file');
    await mkdir(join(folder, "empty"));
    await expect(names("empty")).rejects.toThrow("the folder holds no file");
  });

  it("does not walk around in circles", async () => {
    await symlink(folder, join(folder, "sub", "up"));
    await symlink(join(folder, "a.txt"), join(folder, "sub", "link.txt"));
    expect(await names("sub")).toEqual(["sub/c.txt", "sub/deep/d.txt", "sub/link.txt"]);
  });
});

describe("loadText", () => {
  it("joins files, with a line break where one is missing", async () => {
    await put("a", "one");
    await put("b", "two\n");
    await put("c", "three");
    const corpus = await loadText(["a", "b", "c"], { cwd: folder });
    expect(textOf(corpus)).toBe("one\ntwo\nthree");
    expect(corpus.sources.map(({ path, bytes }) => [basename(path), bytes])).toEqual([
      ["a", 3],
      ["b", 4],
      ["c", 5],
    ]);
    expect(corpus.sha256).toMatch(/^[0-9a-f]{64}$/);
    expect((await loadText(["a", "b"], { cwd: folder })).sha256).not.toBe(corpus.sha256);
  });

  it("names the file and the byte where it is not UTF-8, and the way around", async () => {
    await put("good", "é");
    await put("bad", Uint8Array.of(0x61, 0x62, 0xe9, 0x20));
    const given = ["good", "bad"];
    const error = await loadText(given, { cwd: folder }).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(DataError);
    expect((error as DataError).source).toBe(join(folder, "bad"));
    expect((error as DataError).message).toMatch(/byte 3 is 0x20; .* --data\.encoding=bytes/);
    const raw = await loadText(given, { cwd: folder, encoding: "bytes" });
    expect([...raw.bytes]).toEqual([0xc3, 0xa9, 0x61, 0x62, 0xe9, 0x20]);
  });

  it("refuses what is empty, too large, or no file", async () => {
    await put("empty", "");
    await put("some", "12345");
    await expect(load("empty")).rejects.toThrow('data "empty": is empty');
    await expect(load("some", 4)).rejects.toThrow(/5 bytes, the limit is 4; give a part of it/);
    await expect(load("/dev/null")).rejects.toThrow(/not a regular file/);
  });

  it("takes 100 MB", async () => {
    const line = new TextEncoder().encode("the quick brown fox jumps over the lazy dög\n");
    const big = new Uint8Array(100_000_000).fill(0x0a);
    for (let at = 0; at + line.length <= big.length; at += line.length) big.set(line, at);
    await put("big", big);
    const corpus = await loadText("big", { cwd: folder });
    expect(corpus.bytes).toHaveLength(100_000_000);
    expect(splitCorpus(corpus, 128).validation).toHaveLength(10_000_000);
  });
});

describe("splitCorpus", () => {
  it("keeps the end for validation", () => {
    const { training, validation } = splitCorpus(blank(1000), 16, 0.25);
    expect([training.length, validation.length, validation.byteOffset]).toEqual([750, 250, 750]);
  });

  it("says how much text a context needs", () => {
    expect(splitCorpus(blank(90), 8).validation).toHaveLength(9);
    const tooShort =
      /too short: 89 bytes, of which 81 train and 8 validate; a context of 8 needs 9 in each, about 90/;
    expect(() => splitCorpus(blank(89), 8)).toThrow(tooShort);
    expect(() => splitCorpus(blank(90), 8, 0.95)).toThrow(DataError);
  });
});

describe("own source", () => {
  it("is the code and the documents of a clone, sorted", async () => {
    for (const path of [
      "src/b.ts",
      "src/a/c.ts",
      "README.md",
      "docs/d.md",
      "docs/p.png",
      "lib/e.ts",
      "src/f.json",
    ]) {
      await put(path, `<${path}>`);
    }
    const corpus = await loadOwnSource(folder);
    expect(textOf(corpus)).toBe("<README.md>\n<docs/d.md>\n<src/a/c.ts>\n<src/b.ts>");
  });

  it("is refused outside a clone", async () => {
    await expect(loadOwnSource(folder)).rejects.toThrow(/is not a clone of the project; give a text: --data/);
  });

  it("is found from this file", async () => {
    expect((await loadOwnSource(packageRoot())).bytes.length).toBeGreaterThan(10_000);
  });
});
