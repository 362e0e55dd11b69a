import { describe, expect, it } from "vitest";
import { BenchUsageError, parseOptions } from "./options.ts";

const names = ["gemm", "gpt"];

describe("parseOptions", () => {
  it("has defaults: two threads, every suite, nothing saved", () => {
    expect(parseOptions([], names)).toEqual({
      quick: false, peers: false, json: false, save: false, help: false, threads: 2, only: [],
    }); // prettier-ignore
  });

  it("takes suites as a list or one by one", () => {
    expect(parseOptions(["--only", "gemm,gpt"], names).only).toEqual(names);
    expect(parseOptions(["--only=gemm", "--only", "gpt", "--threads", "1"], names)).toMatchObject({
      only: names,
      threads: 1,
    });
  });

  it.each([
    [["--only", "gemn"], /no suite "gemn" \(did you mean "gemm"/],
    [["--quik"], /no option "--quik" \(did you mean "--quick"/],
    [["--threads", "0"], /--threads is "0", wants 1 to 64/],
    [["--threads", "two"], /--threads is "two"/],
    [["gemm"], /gemm/],
    [["--only"], /--only/],
  ])("refuses %j", (args, message) => {
    expect(() => parseOptions(args, names)).toThrow(BenchUsageError);
    expect(() => parseOptions(args, names)).toThrow(message);
  });
});
