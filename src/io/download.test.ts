import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";
import { download, DownloadError } from "./download.ts";
import { type FileServer, startFileServer } from "../../test/data/file-server.ts";

const content = Buffer.from(Array.from({ length: 100_000 }, (_, i) => (i * i) % 251));
const sha256 = createHash("sha256").update(content).digest("hex");
const folder = mkdtempSync(join(tmpdir(), "logrung-download-"));
const path = join(folder, "sub", "file.bin");
let server: FileServer;

beforeEach(async () => {
  server = await startFileServer({ "/file.bin": content });
  rmSync(join(folder, "sub"), { recursive: true, force: true });
});
afterEach(() => server.close());
afterAll(() => rmSync(folder, { recursive: true }));

const get = (change: Partial<Parameters<typeof download>[0]> = {}) =>
  download({ url: `${server.url}/file.bin`, path, bytes: content.length, sha256, ...change });
const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    (error: unknown) => error as DownloadError,
  );

describe("download", () => {
  it("brings a file and tells how far it is", async () => {
    const seen: [number, number | null][] = [];
    const onProgress = (done: number, total: number | null) => seen.push([done, total]);
    expect(await get({ onProgress })).toEqual({ bytes: content.length, sha256, resumedFrom: 0 });
    expect(readFileSync(path).equals(content)).toBe(true);
    expect(existsSync(`${path}.part`)).toBe(false);
    expect(seen.at(-1)).toEqual([content.length, content.length]);
  });

  it("keeps what came when the connection breaks, and asks for the rest", async () => {
    server.behave({ breakAfter: 30_000 });
    const error = await failure(get());
    expect(error).toBeInstanceOf(DownloadError);
    expect(error?.fault).toBe("truncated");
    const kept = readFileSync(`${path}.part`).length;
    expect(error?.message).toContain(`ended at byte ${kept} of 100000`);
    expect(existsSync(path)).toBe(false);
    server.behave({});
    expect((await get()).resumedFrom).toBe(kept);
    expect(server.requests.at(-1)?.range).toBe(`bytes=${kept}-`);
    expect(readFileSync(path).equals(content)).toBe(true);
  });

  it("notices an end too early where no length is stated, by the size or the checksum", async () => {
    server.behave({ chunked: true, breakAfter: 0, send: 40_000 });
    expect((await failure(get()))?.fault).toBe("truncated");
    rmSync(`${path}.part`);
    expect((await failure(get({ bytes: null })))?.fault).toBe("checksum");
  });

  it("begins again where a server knows no ranges", async () => {
    server.behave({ ranges: false });
    const half = join(folder, "sub", "file.bin.part");
    await get();
    writeFileSync(half, content.subarray(0, 5000));
    expect((await get()).resumedFrom).toBe(0);
    expect(readFileSync(path).equals(content)).toBe(true);
  });

  it("takes a whole partial file as it is, and drops one that is too long", async () => {
    await get();
    writeFileSync(`${path}.part`, content);
    const before = server.requests.length;
    await get();
    expect(server.requests).toHaveLength(before);
    writeFileSync(`${path}.part`, content);
    expect((await get({ bytes: null })).resumedFrom).toBe(content.length); // the server says 416
    writeFileSync(`${path}.part`, Buffer.concat([content, content]));
    expect((await get({ bytes: null })).resumedFrom).toBe(0);
    expect(readFileSync(path).equals(content)).toBe(true);
  });

  it("never gives a wrong file its name", async () => {
    const error = await failure(get({ sha256: "0".repeat(64) }));
    expect(error?.fault).toBe("checksum");
    expect(error?.message).toContain(`its sha256 is ${sha256}, wants ${"0".repeat(64)}`);
    expect([existsSync(path), existsSync(`${path}.part`)]).toEqual([false, false]);
    expect((await failure(get({ bytes: 10 })))?.fault).toBe("size");
    server.behave({ chunked: true });
    expect((await failure(get({ bytes: 10 })))?.fault).toBe("size");
  });

  it("says what the server answered, follows redirects but not for ever", async () => {
    const missing = await failure(get({ url: `${server.url}/none` }));
    expect([missing?.fault, missing?.message]).toEqual([
      "status",
      expect.stringContaining("answers 404 Not Found"),
    ]);
    server.behave({ redirect: "/file.bin" });
    await get({ url: `${server.url}/elsewhere` });
    server.behave({ redirect: "/again" });
    expect((await failure(get({ url: `${server.url}/again` })))?.message).toContain(
      "redirected more than 5 times",
    );
    const nobody = await failure(get({ url: "http://127.0.0.1:1/file.bin" }));
    expect([nobody?.fault, nobody?.message]).toEqual(["network", expect.stringContaining("ECONNREFUSED")]);
  });

  it("stops when told, keeping what came", async () => {
    server.behave({ breakAfter: 30_000 });
    const controller = new AbortController();
    const reason = new Error("enough");
    const onProgress = () => controller.abort(reason);
    expect(await failure(get({ signal: controller.signal, onProgress }))).toBe(reason);
    expect(existsSync(`${path}.part`)).toBe(true);
  });

  it("takes bytes as they are, whatever the server calls them", async () => {
    server.behave({ headers: { "content-encoding": "gzip" } });
    await get();
    expect(readFileSync(path).equals(content)).toBe(true);
  });
});
