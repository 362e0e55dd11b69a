import { describe, expect, it } from "vitest";
import { normal } from "../random/normal.ts";
import { orthogonal } from "../random/orthogonal.ts";
import { streamKey } from "../random/stream.ts";
import { FeatureMoments, frechetDistance, type Gaussian } from "./frechet-distance.ts";
import { symmetricEigenvalues } from "./symmetric-eigen.ts";

const key = (name: string) => streamKey(1, name, 0, "test");

/** Q diag(values) Qᵀ for a random rotation Q. */
function rotated(values: readonly number[], name: string): Float64Array {
  const n = values.length;
  const q = orthogonal(key(name), n, n);
  return Float64Array.from({ length: n * n }, (_, at) => {
    const [i, j] = [Math.floor(at / n), at % n];
    return values.reduce((sum, value, k) => sum + value * q[k * n + i] * q[k * n + j], 0);
  });
}

describe("symmetricEigenvalues", () => {
  it.each([
    ["distinct", [5, -2, 0.5, 3, 1e-6, 8, -7]],
    ["repeated", [2, 2, 2, 1, 1, 0, 0, 0]],
    ["of one", [4]],
    ["of two", [1, -1]],
    ["of many sizes", [1e8, 1, 1e-8, 1e4]],
    ["nearly all 0", [3, 1, ...Array.from({ length: 38 }, () => 0)]],
  ])("finds eigenvalues that are %s", async (_, values) => {
    const n = values.length;
    const found = await symmetricEigenvalues(rotated(values, "a"), n);
    const sorted = [...found].toSorted((a, b) => a - b);
    const size = Math.max(...values.map(Math.abs));
    values.toSorted((a, b) => a - b).forEach((value, i) => expect(Math.abs(sorted[i] - value)).toBeLessThan(1e-14 * n * size));
  }); // prettier-ignore

  it("leaves diagonal matrices as they are, and refuses others than matrices", async () => {
    expect([...(await symmetricEigenvalues(Float64Array.of(3, 0, 0, -1), 2))]).toEqual([3, -1]);
    await expect(symmetricEigenvalues(Float64Array.of(1, 2, 3), 2)).rejects.toThrow(/3 numbers as 2×2/);
    await expect(symmetricEigenvalues(Float64Array.of(Number.NaN), 1)).rejects.toThrow(/NaN/);
  });
});

const gaussian = (mean: readonly number[], covariance: Float64Array): Gaussian => ({
  mean: Float64Array.from(mean),
  covariance,
});
const diagonal = (values: readonly number[]): Float64Array =>
  Float64Array.from({ length: values.length ** 2 }, (_, at) =>
    Math.floor(at / values.length) === at % values.length ? values[at % values.length] : 0,
  );

describe("frechetDistance", () => {
  it("is 0 between equal distributions, singular ones too", async () => {
    const a = gaussian([1, 2, 3, 4], rotated([3, 2, 0.1, 0], "b"));
    expect(await frechetDistance(a, a)).toBeLessThan(1e-12);
  });

  it("is that of fewer vectors than numbers, too: by their singular values", async () => {
    // Of two vectors ±x and ±y: Σ₁ = 2 x xᵀ, Σ₂ = 2 y yᵀ, and tr (Σ₁Σ₂)^½ = 2 |⟨x, y⟩|.
    const n = 60;
    const [x, y] = ["x", "y"].map((name) => Float64Array.from({ length: n }, (_, i) => normal(key(name), i)));
    const of = (vector: Float64Array): Gaussian => {
      const moments = new FeatureMoments(n);
      moments.add([...vector, ...vector.map((value) => -value)]);
      return { mean: moments.mean, covariance: moments.covariance };
    };
    const dot = (a: Float64Array, b: Float64Array) => a.reduce((sum, value, i) => sum + value * b[i], 0);
    const wanted = 2 * dot(x, x) + 2 * dot(y, y) - 4 * Math.abs(dot(x, y));
    expect(await frechetDistance(of(x), of(y))).toBeCloseTo(wanted, 9);
    expect(await frechetDistance(of(x), of(x))).toBeLessThan(1e-9);
  });

  it("is the squared distance of the means where only they differ", async () => {
    const covariance = rotated([3, 2, 1], "c");
    const found = await frechetDistance(gaussian([0, 0, 0], covariance), gaussian([1, -2, 2], covariance));
    expect(found).toBeCloseTo(9, 10);
  });

  it("adds up squared differences of deviations along common axes", async () => {
    const [a, b] = [[4, 9, 1], [1, 16, 0]];
    const wanted = (2 - 1) ** 2 + (3 - 4) ** 2 + 1;
    expect(await frechetDistance(gaussian([0, 0, 0], diagonal(a)), gaussian([0, 0, 0], diagonal(b)))).toBeCloseTo(wanted, 10);
    const turned = await frechetDistance(gaussian([0, 0, 0], rotated(a, "d")), gaussian([0, 0, 0], rotated(b, "d")));
    expect(turned).toBeCloseTo(wanted, 6);
  }); // prettier-ignore

  it("is symmetric, also for covariances that do not commute", async () => {
    const [a, b] = [gaussian([0, 1], Float64Array.of(2, 1, 1, 3)), gaussian([1, 1], Float64Array.of(1, -0.5, -0.5, 2))];
    // tr (Σ₁Σ₂)^½ of 2×2 matrices is √(tr Σ₁Σ₂ + 2 √(det Σ₁ det Σ₂)).
    const trace = 2 - 0.5 - 0.5 + 6;
    const wanted = 1 + 5 + 3 - 2 * Math.sqrt(trace + 2 * Math.sqrt(5 * 1.75));
    expect(await frechetDistance(a, b)).toBeCloseTo(wanted, 12);
    expect(await frechetDistance(b, a)).toBeCloseTo(wanted, 12);
  }); // prettier-ignore

  it("stops when it is told to", async () => {
    const a = gaussian([1, 2], diagonal([1, 2]));
    await expect(frechetDistance(a, a, AbortSignal.abort(new Error("stop")))).rejects.toThrow("stop");
  });

  it("takes means and covariances from vectors far from zero", () => {
    const moments = new FeatureMoments(2);
    const rows = Array.from({ length: 2000 }, (_, i) => [normal(key("x"), i), normal(key("y"), i)]);
    const shifted = rows.flatMap(([x, y]) => [1e6 + 2 * x, -1e6 + x + y]);
    moments.add(shifted.slice(0, 1000));
    moments.add(shifted.slice(1000));
    const mean = [0, 1].map((c) => rows.reduce((sum, row) => sum + row[c], 0) / 2000);
    expect(moments.mean[0]).toBeCloseTo(1e6 + 2 * mean[0], 6);
    const centred = rows.map(([x, y]) => [2 * (x - mean[0]), x - mean[0] + y - mean[1]]);
    const covariance = (a: number, b: number) => centred.reduce((sum, row) => sum + row[a] * row[b], 0) / 1999;
    [covariance(0, 0), covariance(0, 1), covariance(1, 0), covariance(1, 1)].forEach((value, i) =>
      expect(moments.covariance[i]).toBeCloseTo(value, 6),
    );
    expect(() => new FeatureMoments(2).covariance).toThrow(/covariance of 0 vectors/);
    expect(() => moments.add([1, 2, 3])).toThrow(/rows of 2/);
    expect(() => moments.add([1, Number.NaN])).toThrow(/not finite/);
  }); // prettier-ignore
});
