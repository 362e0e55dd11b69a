import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";
import { archive, tarEntry, zipOf } from "../../test/data/archives.ts";
import { type FileServer, startFileServer } from "../../test/data/file-server.ts";
import { checkDataset } from "./check-dataset.ts";
import { checkedText } from "./checked-text.ts";
import type { DataSource, TextDataset } from "./dataset.ts";
import { type GetEvent, getDataset } from "./get-dataset.ts";
import { readOfficial } from "./official-file.ts";

const digest = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
const textBytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const [first, second] = [textBytes("first\n".repeat(500)), textBytes("second\n".repeat(400))];
const tarball = gzipSync(archive([tarEntry("top/one.txt", first), tarEntry("top/two.txt", second)]));
const zip = zipOf([{ path: "top/one.txt", content: first, method: 8 }]);
const gzip = gzipSync(first);

const fileOf = (name: string, bytes: Uint8Array) => ({
  name,
  bytes: bytes.length,
  sha256: digest(bytes),
});

function setOf(url: string, ...sources: Partial<DataSource>[]): TextDataset {
  const dataset: TextDataset = {
    kind: "text",
    name: "plays",
    summary: "two plays",
    homepage: url,
    licence: "none",
    archiveFolder: "top",
    level: "bytes",
    sources: sources.map((source) => ({
      kind: "tar.gz",
      urls: [`${url}/plays.tar.gz`],
      bytes: tarball.length,
      sha256: digest(tarball),
      files: [fileOf("one.txt", first), fileOf("two.txt", second)],
      ...source,
    })),
    load: async (folder) => {
      const bytes = checkedText(await readOfficial(dataset, folder, "one.txt"));
      return { name: "plays", training: bytes, validation: bytes, test: null };
    },
  };
  return dataset;
}

let folder = "";
let server: FileServer;
beforeEach(async () => {
  folder = join(mkdtempSync(join(tmpdir(), "logrung-get-")), "plays");
  server = await startFileServer({
    "/plays.tar.gz": tarball,
    "/plays.zip": zip,
    "/one.txt.gz": gzip,
    "/one": first,
  });
});
const made: string[] = [];
afterEach(async () => {
  made.push(join(folder, ".."));
  await server.close();
});
afterAll(() => {
  for (const path of made) rmSync(path, { recursive: true, force: true });
});

const read = (name: string): Uint8Array => readFileSync(join(folder, name));

describe("getDataset", () => {
  it.each([
    ["tar.gz", {}, ["one.txt", "two.txt"]],
    [
      "zip",
      {
        kind: "zip" as const,
        path: "/plays.zip",
        sha256: digest(zip),
        bytes: null,
        files: [fileOf("one.txt", first)],
      },
      ["one.txt"],
    ],
    [
      "gzip",
      {
        kind: "gzip" as const,
        path: "/one.txt.gz",
        sha256: digest(gzip),
        bytes: gzip.length,
        files: [fileOf("one.txt", first)],
      },
      ["one.txt.gz"],
    ],
    [
      "plain",
      {
        kind: "plain" as const,
        path: "/one",
        sha256: digest(first),
        bytes: null,
        files: [fileOf("one.txt", first)],
      },
      ["one.txt"],
    ],
  ])("brings %s and leaves what is right alone", async (_, { path, ...source }: { path?: string }, names) => {
    const dataset = setOf(server.url, path === undefined ? source : { ...source, urls: [server.url + path] });
    await getDataset(dataset, { folder });
    expect(readdirSync(folder).toSorted()).toEqual(names);
    expect((await checkDataset(dataset, folder)).faults).toEqual([]);
    const before = server.requests.length;
    const events: GetEvent[] = [];
    await getDataset(dataset, { folder, onEvent: (event) => events.push(event) });
    expect(server.requests).toHaveLength(before);
    expect(events.map(({ kind }) => kind)).toEqual(["present"]);
  });

  it("goes on after a broken connection", async () => {
    server.behave({ breakAfter: 60 });
    await expect(getDataset(setOf(server.url, {}), { folder })).rejects.toThrow(/the same command goes on/);
    server.behave({});
    const events: GetEvent[] = [];
    await getDataset(setOf(server.url, {}), { folder, onEvent: (event) => events.push(event) });
    expect(events.find(({ kind }) => kind === "done")).toMatchObject({ resumedFrom: 60 });
    expect(read("two.txt")).toEqual(Buffer.from(second));
  });

  it("begins again when what was resumed does not fit together", async () => {
    await getDataset(setOf(server.url, {}), { folder });
    rmSync(join(folder, "one.txt"));
    writeFileSync(join(folder, "plays.tar.gz.part"), "another version");
    await getDataset(setOf(server.url, {}), { folder });
    expect(read("one.txt")).toEqual(Buffer.from(first));
  });

  it("tries the next place, or only the one that was given", async () => {
    const urls = [`${server.url}/none/plays.tar.gz`, `${server.url}/plays.tar.gz`];
    const events: GetEvent[] = [];
    await getDataset(setOf(server.url, { urls }), { folder, onEvent: (event) => events.push(event) });
    expect(events.map(({ kind }) => kind)).toContain("retry");
    rmSync(folder, { recursive: true });
    const away = setOf("http://127.0.0.1:1", {});
    await getDataset(away, { folder, from: `${server.url}/` });
    await expect(getDataset(away, { folder: `${folder}2`, from: `${server.url}/none` })).rejects.toThrow(
      /404/,
    );
  });

  it("refuses an archive with other bytes, a lost file, or damage, and unpacks none of it", async () => {
    const wrong = setOf(server.url, { sha256: "1".repeat(64) });
    await expect(getDataset(wrong, { folder })).rejects.toThrow(/sha256/);
    const other = setOf(server.url, { files: [{ ...fileOf("one.txt", first), sha256: "2".repeat(64) }] });
    await expect(getDataset(other, { folder })).rejects.toThrow(/"one.txt" in ".*": its sha256 is not/);
    expect(existsSync(join(folder, "one.txt"))).toBe(false);
    const more = setOf(server.url, { files: [fileOf("three.txt", first)] });
    await expect(getDataset(more, { folder })).rejects.toThrow(/does not hold three.txt/);
    await server.close();
    const cut = tarball.subarray(0, tarball.length - 20);
    server = await startFileServer({ "/plays.tar.gz": cut });
    const damaged = setOf(server.url, { sha256: digest(cut), bytes: cut.length });
    await expect(getDataset(damaged, { folder: `${folder}3` })).rejects.toThrow(`byte ${cut.length}: its gzip data are cut off here`);
  }); // prettier-ignore
});

describe("checkDataset", () => {
  const check = async (change: () => void) => {
    const dataset = setOf(server.url, {});
    await getDataset(dataset, { folder });
    change();
    return checkDataset(dataset, folder);
  };

  it("names a file that is missing, cut, changed, or too long, and the byte", async () => {
    const gone = await check(() => rmSync(join(folder, "one.txt")));
    expect(gone.files.map(({ state }) => state)).toEqual(["missing", "official"]);
    expect(gone.faults[0]).toContain(`no "one.txt" or "one.txt.gz" in "${folder}"`);
    const cut = await check(() => writeFileSync(join(folder, "one.txt"), first.subarray(0, 100)));
    expect(cut.faults).toEqual([expect.stringContaining('one.txt" ends at byte 100, the official')]);
    const changed = await check(() => writeFileSync(join(folder, "one.txt"), first.map((byte, i) => byte ^ (i === 7 ? 1 : 0)))); // prettier-ignore
    expect(changed.faults).toEqual([expect.stringMatching(/one.txt": sha256 [0-9a-f]{64}, the official/)]);
    const long = await check(() => writeFileSync(join(folder, "one.txt"), Buffer.concat([first, first])));
    expect(long.faults).toEqual([expect.stringContaining("goes on after byte 3000, to byte 6000")]);
  });

  it("names swapped files, damaged gzip, and bytes that are no text", async () => {
    const swapped = await check(() => writeFileSync(join(folder, "one.txt"), second));
    expect(swapped.files[0].state).toBe("differs");
    rmSync(join(folder, "one.txt"));
    for (const bytes of [gzip.subarray(0, 20), gzip.map((byte, i) => byte ^ (i === gzip.length - 6 ? 1 : 0))]) {
      const damaged = await check(() => {
        rmSync(join(folder, "one.txt"));
        writeFileSync(join(folder, "one.txt.gz"), bytes);
      });
      expect(damaged.files[0]).toMatchObject({ state: "unreadable", bytes: null });
      expect(damaged.faults[0]).toMatch(/one.txt.gz": bytes? \d+.*: its gzip data are (damaged|cut off)/);
      rmSync(join(folder, "one.txt.gz"));
    }
    const binary = await check(() => writeFileSync(join(folder, "one.txt"), Buffer.from([0x61, 0xff])));
    expect(binary.faults[1]).toMatch(/one.txt": not UTF-8: byte 1 is 0xff/);
  }); // prettier-ignore
});
