/** Every example runs, and shows what it promises. */
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it, vi } from "vitest";

const folder = fileURLToPath(new URL("../examples", import.meta.url));

/** What the lines of an example must say. */
const promises: Readonly<Record<string, (lines: readonly string[]) => void>> = {
  "01-formats.ts": ([first, top]) => {
    expect(first).toMatch(/^0\.3 is code \d+, which stands for 0\.\d{4}$/);
    expect(top).toBe("code 127 = 1");
  },
  "02-gradients.ts": ([line]) =>
    expect(line).toBe("mean gelu 0.65925, gradient -0.02074 0.12500 0.27074 0.27152"),
  "03-own-kernel.ts": ([reference, wasm]) => {
    expect(reference.split(" ").slice(1)).toEqual(["-0.6667", "-0.3333", "0.0000", "0.3333", "0.6667"]);
    expect(wasm.split(" ").slice(1)).toEqual(reference.split(" ").slice(1));
  },
  "04-weights-on-rungs.ts": (lines) => {
    const values = (line: string): number[] => line.split("stand for ")[1].split(" ").map(Number);
    const [first, last] = [values(lines[0]), values(lines[4])];
    expect(last[0]).toBeLessThan(first[0]);
    expect(last[1]).toBeLessThanOrEqual(first[1]); // down is away from zero for a negative weight
    expect(last[2]).toBeGreaterThan(first[2]);
    expect(last[3]).toBeGreaterThan(first[3]);
  },
  "05-mlp-in-8-bits.ts": (lines) => expectLower(lines, 0.5),
  "06-own-optimizer.ts": ([line]) => expect(line).toBe("0.500 -0.500"),
  "07-language-model.ts": (lines) => {
    expectLower(lines.slice(0, 4), 0.5);
    expect(lines[4]).toMatch(/^the rung/);
  },
  "08-own-format.ts": ([codes, values, range, before, after]) => {
    expect(codes).toBe("codes 64 197 50 12");
    expect(values).toBe("stand for 1 -0.6875 0.3125 0.0009765625");
    expect(range).toBe(`largest ${2 ** 24}, smallest ${2 ** -24}`);
    const distance = (line: string): number => Number(/^distance ([\d.]+)/.exec(line)?.[1]);
    expect(distance(after)).toBeLessThan(0.05 * distance(before));
  },
  "09-tensorflow-js.ts": (lines) => expectLower(lines, 0.2),
  "10-jax-js.ts": (lines) => {
    expectLower(lines.slice(0, 4), 0.1);
    expect(lines[4]).toMatch(/^weights( -?\d\.\d\d){3}$/);
  },
};

/** Examples that do not run on every Node, and why not on this one. */
const lacking: Readonly<Record<string, string>> =
  "navigator" in globalThis ? {} : { "10-jax-js.ts": "jax-js wants Node 21 or newer" };

/** The last loss is below a share of the first. */
function expectLower(lines: readonly string[], share: number): void {
  const losses = lines.map((line) => Number(line.split("loss ")[1]));
  expect(losses[losses.length - 1]).toBeLessThan(share * losses[0]);
}

describe("examples", () => {
  const files = readdirSync(folder).filter((name) => name.endsWith(".ts"));

  it("all have a promise to keep", () => {
    expect(files).toEqual(Object.keys(promises));
  });

  it.for(files)("%s", async (name, { skip }) => {
    if (name in lacking) skip(lacking[name]);
    const lines: string[] = [];
    const log = vi
      .spyOn(console, "log")
      .mockImplementation((...words: unknown[]) => void lines.push(words.join(" ")));
    try {
      await import(`../examples/${name.slice(0, -3)}.ts`);
    } finally {
      log.mockRestore();
    }
    promises[name](lines);
  });
});
