import { closeSync, fsyncSync, ftruncateSync, openSync, writeSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FileError } from "../io/file-error.ts";
import { formatMetrics, MetricsError, parseMetrics } from "./metrics.ts";
import { type AppendFileSystem, openMetricsFile } from "./metrics-file.ts";

describe("metrics as text", () => {
  it("come back, NaN and infinities too", () => {
    const lines = [
      { step: 1, loss: 2.5, validationLoss: Number.NaN },
      { step: 2, loss: Number.POSITIVE_INFINITY, diverged: true },
    ];
    expect(parseMetrics(lines.map(formatMetrics).join(""))).toEqual({ steps: lines, torn: false });
  });

  it("tolerates a torn last line wherever it was cut", () => {
    const text = formatMetrics({ step: 1, loss: 1 }) + formatMetrics({ step: 22, loss: 0.5 });
    const first = text.indexOf("\n") + 1;
    for (let length = first; length < text.length - 1; length++) {
      const { steps, torn } = parseMetrics(text.slice(0, length));
      expect(steps).toEqual([{ step: 1, loss: 1 }]);
      expect(torn).toBe(length > first);
    }
  });

  it("lets a later line for the same step stand", () => {
    const text = '{"step":1,"loss":9}\n{"step":2,"loss":8}\n{"step":1,"loss":7}\n';
    expect(parseMetrics(text).steps.map((m) => m.loss)).toEqual([7, 8]);
  });

  it("refuses a broken line in the middle, with its number", () => {
    const text = '{"step":1}\n{"st\n{"step":3}\n';
    expect(() => parseMetrics(text, "m.jsonl")).toThrow(MetricsError);
    expect(() => parseMetrics(text, "m.jsonl")).toThrow(/"m\.jsonl" line 2: /);
  });
});

describe("the metrics file", () => {
  let folder = "";
  let path = "";
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "logrung-metrics-"));
    path = join(folder, "metrics.jsonl");
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const text = () => readFile(path, "utf8");

  it("has each line on disk as soon as it is appended", async () => {
    const file = await openMetricsFile(path, 0);
    file.append({ step: 1, loss: 3 });
    expect(await text()).toBe('{"step":1,"loss":3}\n');
    file.append({ step: 2, loss: 2 });
    file.close();
    file.close();
    expect(await text()).toBe('{"step":1,"loss":3}\n{"step":2,"loss":2}\n');
  });

  it("drops later steps and a torn line on resume, and appends after the rest", async () => {
    await writeFile(path, '{"step":1}\n{"step":2}\n{"step":3}\n{"st');
    const file = await openMetricsFile(path, 2);
    file.append({ step: 3, loss: 1 });
    file.close();
    expect(await text()).toBe('{"step":1}\n{"step":2}\n{"step":3,"loss":1}\n');
  });

  it("loses nothing on a full disk: the line waits and no half of it stays", async () => {
    let room = 1000;
    const fileSystem: AppendFileSystem = {
      openSync,
      ftruncateSync,
      fsyncSync,
      closeSync,
      writeSync(file, bytes, offset, length, position) {
        if (room === 0) throw Object.assign(new Error("no space"), { code: "ENOSPC" });
        const written = writeSync(file, bytes, offset, Math.min(length, room), position);
        room -= written;
        return written;
      },
    };
    const file = await openMetricsFile(path, 0, fileSystem);
    file.append({ step: 1 });
    room = 5;
    expect(() => file.append({ step: 2 })).toThrow(/disk is full/);
    expect(file.pending).toBe(1);
    expect(await text()).toBe('{"step":1}\n');
    expect(() => file.append({ step: 3 })).toThrow(FileError);
    room = 1000;
    file.append({ step: 4 });
    expect(file.pending).toBe(0);
    file.close();
    expect(await text()).toBe('{"step":1}\n{"step":2}\n{"step":3}\n{"step":4}\n');
  });

  it("names the file it cannot open", async () => {
    await expect(openMetricsFile(join(folder, "no", "metrics.jsonl"), 0)).rejects.toThrow(FileError);
  });
});
