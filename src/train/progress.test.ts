import { describe, expect, it } from "vitest";
import { createProgress, formatCount, formatDuration, formatProgress } from "./progress.ts";

describe("figures in words", () => {
  it.each([
    [0, "0"], [983, "983"], [999.6, "1 k"], [11_234, "11.2 k"], [999_400, "999 k"], [999_600, "1 M"],
    [4_512_000, "4.51 M"], [Number.NaN, "?"],
  ])("count %d is %s", (value, text) => expect(formatCount(value)).toBe(text)); // prettier-ignore

  it.each([
    [0, "0 s"], [59.6, "1 min 00 s"], [72, "1 min 12 s"], [3599, "59 min 59 s"], [7500, "2 h 05 min"],
    [Number.POSITIVE_INFINITY, "?"], [-1, "?"],
  ])("duration %d is %s", (seconds, text) => expect(formatDuration(seconds)).toBe(text)); // prettier-ignore

  it("a line says what is known", () => {
    const state = { step: 120, steps: 1500, loss: 2.31449, tokensPerSecond: 11_200, secondsLeft: 72 };
    expect(formatProgress(state)).toBe("step 120/1500 · loss 2.3145 · 11.2 k tok/s · 1 min 12 s left");
    expect(formatProgress({ step: 1, steps: 2 })).toBe("step 1/2");
    const losses = { discriminator: 1.5, generator: -0.25 };
    expect(formatProgress({ step: 1, steps: 2, loss: 1.5, losses })).toBe(
      "step 1/2 · discriminator 1.5000 · generator -0.2500",
    );
    expect(formatProgress({ step: 1, steps: 2, loss: Number.NaN })).toBe("step 1/2 · loss NaN");
  });
});

function recorder(isTTY: boolean, columns = 80) {
  const clock = { time: 0 };
  const written: string[] = [];
  const stream = { write: (text: string) => written.push(text), isTTY, columns };
  return { clock, written, stream, now: () => clock.time };
}

describe("createProgress", () => {
  it("shows the whole line on a terminal that does not say how wide it is", () => {
    const { written, stream, now } = recorder(true, 0);
    createProgress(stream, { now, color: false }).update({ step: 3, steps: 9, loss: 1 });
    expect(written.join("")).toContain("step 3/9 · loss 1.0000");
  });

  it("keeps one line on a terminal, at most ten times a second, and always shows the end", () => {
    const { clock, written, stream, now } = recorder(true);
    const progress = createProgress(stream, { now, color: false });
    for (let step = 1; step <= 1000; step++) {
      clock.time = step;
      progress.update({ step, steps: 1000 });
    }
    progress.end();
    expect(written.length).toBeLessThanOrEqual(13);
    expect(written.at(-2)).toBe("\r\u001b[2Kstep 1000/1000");
    expect(written.slice(0, -1).join("")).not.toContain("\n");
    expect(written.at(-1)).toBe("\n");
  });

  it("writes plain lines, seldom, where there is no terminal", () => {
    const { clock, written, stream, now } = recorder(false);
    const progress = createProgress(stream, { now, interval: 10 });
    for (let second = 0; second <= 25; second++) {
      clock.time = second * 1000;
      progress.update({ step: second + 1, steps: 100, loss: 1 });
    }
    progress.note("saved");
    progress.end();
    expect(written).toEqual([
      "step 1/100 · loss 1.0000\n",
      "step 11/100 · loss 1.0000\n",
      "step 21/100 · loss 1.0000\n",
      "saved\n",
    ]);
  });

  it("puts a note above the live line and keeps within the terminal's width", () => {
    const { written, stream, now } = recorder(true, 12);
    const progress = createProgress(stream, { now, color: false });
    progress.update({ step: 1, steps: 2, loss: 3 });
    progress.note("saved");
    expect(written).toEqual(["\r\u001b[2Kstep 1/2 ·…", "\r\u001b[2Ksaved\n", "\r\u001b[2Kstep 1/2 ·…"]);
  });

  it("colours only a terminal that wants it", () => {
    const bold = recorder(true);
    createProgress(bold.stream, { now: bold.now }).update({ step: 1, steps: 2, loss: 3 });
    expect(bold.written[0]).toContain("\u001b[1mloss 3.0000\u001b[22m");
    const plain = recorder(false);
    createProgress(plain.stream, { now: plain.now, color: true }).update({ step: 1, steps: 2, loss: 3 });
    expect(plain.written[0]).toBe("step 1/2 · loss 3.0000\n");
  });
});
