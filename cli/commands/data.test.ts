import { createHash } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { startFileServer } from "../../test/data/file-server.ts";
import { runProgram } from "../run.ts";
import { command } from "./data.ts";

const folder = mkdtempSync(join(tmpdir(), "logrung-data-"));
afterAll(() => rmSync(folder, { recursive: true }));

async function data(words: readonly string[], env: Record<string, string> = { LOGRUNG_DATA: folder }) {
  let out = "";
  let err = "";
  const code = await runProgram(["data", ...words], [command], {
    stdout: { write: (text) => (out += text) },
    stderr: { write: (text) => (err += text) },
    env,
    cwd: folder,
    signal: new AbortController().signal,
    version: "1.2.3",
  });
  return { code, out, err };
}

const facts = (json: string): Record<string, unknown>[] => JSON.parse(json) as Record<string, unknown>[];
const put = (path: string, content: string | Uint8Array): void => {
  mkdirSync(join(folder, path, ".."), { recursive: true });
  writeFileSync(join(folder, path), content);
};

describe("logrung data", () => {
  it("lists every set, where it lies and how much of it is there", async () => {
    put("cifar-100/train.bin", "x");
    put("elsewhere/input.txt.gz", "x");
    const { code, out } = await data([]);
    expect(code).toBe(0);
    expect(out).toMatch(/cifar-100 +1 of 2 files .*cifar-100 /);
    expect(out).toMatch(/wikitext-2 +no /);
    const sets = facts((await data(["list", "--json"])).out);
    expect(sets.find(({ name }) => name === "cifar-100-coarse")).toMatchObject({ present: 1, folder: join(folder, "cifar-100") });
    const other = facts((await data(["list", "--data-dir=elsewhere", "--json"])).out);
    expect(other.find(({ name }) => name === "tinyshakespeare")).toMatchObject({ present: 1, folder: join(folder, "elsewhere") });
  }); // prettier-ignore

  it("refuses a damaged set with code 2, naming file and byte", async () => {
    put("tinyshakespeare/input.txt", "First Citizen:\n");
    const cut = await data(["check", "tinyshakespeare"]);
    expect(cut.code).toBe(2);
    expect(cut.out).toMatch(/input.txt +15 +not the official file/);
    expect(cut.err).toMatch(
      /^logrung: data "tinyshakespeare": ".*input.txt" ends at byte 15, .* has 1115394 bytes\n$/,
    );
    put("fashion-mnist/t10k-labels-idx1-ubyte", Uint8Array.of(0, 0, 8, 1, 0, 0, 0, 2, 1, 99));
    put(
      "fashion-mnist/t10k-images-idx3-ubyte",
      Uint8Array.of(0, 0, 8, 3, 0, 0, 0, 0, 0, 0, 0, 28, 0, 0, 0, 28),
    );
    const wrong = await data(["check", "fashion-mnist"]);
    expect(wrong.err).toMatch(/labels-idx1-ubyte" is not a valid IDX file: byte 9: label 99, wants 0 to 9/);
    const missing = await data(["check", "mnist"]);
    expect([missing.code, missing.err]).toEqual([2, expect.stringContaining("logrung data get mnist")]);
  });

  it("downloads, refusing other bytes than the official ones", async () => {
    const files = { "/input.txt": new Uint8Array(1_115_394) };
    const server = await startFileServer(files);
    const words = ["get", "tinyshakespeare", "--data-dir=got", `--from=${server.url}`];
    const { code, out, err } = await data(words);
    const digest = createHash("sha256").update(files["/input.txt"]).digest("hex");
    expect([code, out]).toEqual([1, ""]);
    expect(err).toContain(`${server.url}/input.txt: its sha256 is ${digest}, wants 86c4e6aa`);
    expect(existsSync(join(folder, "got", "tinyshakespeare", "input.txt"))).toBe(false);
    await server.close();
    expect((await data(words)).err).toContain("ECONNREFUSED");
  });

  it.each([
    [["get", "fashion"], 'data "fashion": no such data set (did you mean "fashion-mnist"?'],
    [["chek", "mnist"], 'data does not know "chek" (did you mean "check"?'],
    [["get"], "data is told too little"],
    [["list", "mnist"], 'data does not know what to do with "mnist"'],
    [["check", "mnist", "--from=x"], '"--from" is for data get'],
  ])("refuses %j", async (words, message) => {
    const { code, out, err } = await data(words);
    expect([code, out, err]).toEqual([2, "", expect.stringContaining(`logrung: ${message}`)]);
  });
});

const shared = fileURLToPath(new URL("../../../shared/data", import.meta.url));

describe.skipIf(!existsSync(shared))("logrung data on official files (skipped where the data sets are absent)", () => {
  it("gets a whole set, and finds it whole", async () => {
    const names = ["train-images", "train-labels", "t10k-images", "t10k-labels"].map(
      (stem) => `${stem}-idx${stem.endsWith("images") ? 3 : 1}-ubyte.gz`,
    );
    const files = names.map((name) => [`/${name}`, readFileSync(join(shared, "fashion-mnist", name))] as const);
    const server = await startFileServer(Object.fromEntries(files));
    server.behave({ breakAfter: 1_000_000 });
    const get = () => data(["get", "fashion-mnist", "--data-dir=fashion", `--from=${server.url}`]);
    expect((await get()).err).toMatch(/the connection ended at byte \d+ of 26421880; the same command goes on/);
    server.behave({});
    const { code, out, err } = await get();
    await server.close();
    expect([code, out]).toEqual([0, `${join(folder, "fashion", "fashion-mnist")}\n`]);
    expect(err).toMatch(/got train-images-idx3-ubyte \(went on from byte \d+\)/);
    const checked = await data(["check", "fashion-mnist", "--data-dir=fashion"]);
    expect([checked.code, checked.err]).toEqual([0, ""]);
    expect(checked.out).toContain("each of 10 classes 6000");
  });

  it("turns a text into GPT-2's symbols", async () => {
    const root = mkdtempSync(join(folder, "bpe-"));
    for (const name of ["encoder.json", "vocab.bpe"]) copyFileSync(join(shared, "gpt2-bpe", name), join(root, name));
    put("hello.txt", "Hello world");
    const words = ["tokenise", "hello.txt", "hello.bin", `--data-dir=${root}`, "--json"];
    expect(facts((await data(words)).out)).toEqual({ path: join(folder, "hello.bin"), symbols: 2 });
    expect([...readFileSync(join(folder, "hello.bin"))]).toEqual([0x88, 0x3c, 0xe3, 0x03]); // 15496, 995
  });

  it("turns a text into a file of word pieces, or of another vocabulary that is named", async () => {
    put("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nhello\n##s\n");
    put("hellos.txt", "Hellos hello world");
    const words = (...more: string[]) => data(["tokenise", "hellos.txt", "hellos.bin", ...more]);
    const level = "--level=wordpiece";
    expect((await words(level, "--vocabulary=vocab.txt")).out).toMatch(/hellos\.bin: 4 symbols/);
    expect([...readFileSync(join(folder, "hellos.bin"))]).toEqual([5, 0, 6, 0, 5, 0, 1, 0]);
    expect((await words("--level=words")).err).toMatch(/--level words wants its vocabulary: --vocabulary/);
    expect((await words(level, "--data-dir=nowhere")).err).toMatch(/bert-uncased/);
    expect((await words("--level=wordpieces", "--vocabulary=vocab.txt")).err).toMatch(/--level is "wordpieces" \(did you mean "wordpiece/);
    expect((await data(["list", level])).err).toMatch(/"--level" is for data tokenise/);
  });
}); // prettier-ignore
