/** What may come as a text, and what is said about what may not. */
import { chmodSync, existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { inPlace, logrung, ordinaryUser, sentences, tiny, workspace } from "./program.ts";

const folder = workspace();
const user = ordinaryUser();
const output = join(folder, "run");
const fixed = ["--output", output, "--steps=3"];
const train = (text: string, ...more: string[]): string[] => [
  "train",
  "text",
  "--data",
  text,
  ...fixed,
  ...tiny,
  ...more,
];

function file(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

function emptyFolder(name: string, hidden?: string): string {
  const path = join(folder, name);
  mkdirSync(path);
  if (hidden !== undefined) writeFileSync(join(path, hidden), "text");
  return path;
}

const latin1 = Buffer.from(`${sentences(700)} caf\u00e9 ${sentences(700)}`, "latin1");

const refused: Record<string, readonly [path: string, reason: RegExp]> = {
  "that is empty": [file("empty.txt", ""), /empty\.txt": is empty: training needs text/],
  "too short for its validation part": [
    file("short.txt", sentences(100)),
    /too short: 100 bytes, .* needs 17 in each, about 170 in all; give more text or a smaller --model.context/,
  ],
  "that is not UTF-8": [
    file("latin1.txt", latin1),
    /latin1\.txt": not UTF-8: byte 705 is 0x20; .*--data.encoding=bytes/,
  ],
  "that is a picture": [
    file("picture.png", Uint8Array.of(0x89, 0x50, 0x4e, 0x47, ...latin1)),
    /picture\.png": not UTF-8: byte 0 is 0x89/,
  ],
  "that is missing": [join(folder, "none.txt"), /none\.txt": no such file or folder/],
  "below a file": [join(folder, "empty.txt", "x.txt"), /x\.txt": no such file or folder/],
  "in an empty folder": [emptyFolder("empty"), /the folder holds no file/],
  "in a folder of hidden files": [emptyFolder("hidden", ".secret"), /the folder holds no file/],
  "of a pattern that matches nothing": [join(folder, "*.md"), /matches no file/],
  "that is a device": ["/dev/null", /it is not a regular file/],
};

describe("a text", () => {
  it.each(Object.entries(refused))("%s is refused, and nothing is made", async (_, [path, reason]) => {
    const { code, stdout, stderr } = await inPlace(train(path), { cwd: folder });
    expect(stderr).toMatch(reason);
    expect(stderr).toMatch(/^logrung: data ".*\n$/);
    expect([code, stdout]).toEqual([2, ""]);
    expect(existsSync(output)).toBe(false);
    expect(readdirSync(folder)).not.toContain("runs");
  });

  it("is refused by the real program in the same way", async () => {
    const { code, stdout, stderr } = await logrung(train("empty.txt"), { cwd: folder });
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toBe(`logrung: data "${join(folder, "empty.txt")}": is empty: training needs text\n`);
  });

  it("of any bytes trains when asked for", async () => {
    const run = ["--data.encoding=bytes", "--output", join(folder, "bytes")];
    expect((await inPlace(train(join(folder, "latin1.txt"), ...run))).code).toBe(0);
  });

  it.skipIf(!user)("that may not be read is refused (takes a user whom permissions stop)", async () => {
    const path = file("secret.txt", sentences(1000));
    chmodSync(path, 0o000);
    chmodSync(folder, 0o755);
    const { code, stderr } = await logrung(train(path), { cwd: "/", ...user });
    expect(stderr).toMatch(/secret\.txt": cannot read ".*": permission denied \(EACCES\)/);
    expect(code).toBe(2);
    expect(existsSync(output)).toBe(false);
  });
});

describe("a text of 100 MB", () => {
  it("trains in little more memory than it takes itself", async () => {
    const block = Buffer.from(sentences(1_000_000));
    const path = file("huge.txt", Buffer.concat(Array.from({ length: 100 }, () => block)));
    const { code, stdout, stderr } = await logrung(train(path, "--json"));
    expect(code, stderr).toBe(0);
    const { peakBytes, trainLoss } = JSON.parse(stdout) as { peakBytes: number; trainLoss: number };
    expect(trainLoss).toBeGreaterThan(0);
    expect(peakBytes).toBeLessThan(100e6 + 250e6);
  });
});
