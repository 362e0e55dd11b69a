import { afterEach, expect, it, vi } from "vitest";
import { QuantizeProgress } from "./progress.ts";

afterEach(() => {
  vi.useRealTimers();
});

it("tells how far a long computation is, every two seconds and no oftener", async () => {
  vi.useFakeTimers({ toFake: ["performance"] });
  let said = "";
  const stderr = { write: (text: string) => (said += text) };
  const pace = new QuantizeProgress({ stderr, signal: new AbortController().signal }).of("w to int8", 200);
  await pace(1);
  expect(pace(2)).toBeUndefined(); // at once: not worth a look
  vi.advanceTimersByTime(1900);
  await pace(50);
  expect(said).toBe("");
  vi.advanceTimersByTime(200);
  await pace(101);
  vi.advanceTimersByTime(200);
  await pace(150);
  expect(said).toBe("quantize: w to int8, 50 %\n");
});

it("throws the reason of a signal that is aborted", async () => {
  const signal = AbortSignal.abort(new Error("enough"));
  const pace = new QuantizeProgress({ stderr: { write: () => true }, signal }).of("w to int8", 9);
  await expect(pace(1)).rejects.toThrow("enough");
});
