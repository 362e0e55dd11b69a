import { expect, it } from "vitest";
import { sha256, sha256Web } from "./sha256.ts";

// FIPS 180-2, appendix B.1: the digest of "abc".
const abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

it("equals the standard's example, however the bytes are cut", async () => {
  const bytes = new TextEncoder().encode("abc");
  expect(await sha256([bytes])).toBe(abc);
  expect(await sha256([bytes.subarray(0, 1), new Uint8Array(0), bytes.subarray(1)])).toBe(abc);
});

it("is the same through Web Crypto, as in the page", async () => {
  const bytes = new TextEncoder().encode("abc");
  expect(await sha256Web([bytes.subarray(0, 2), bytes.subarray(2)])).toBe(abc);
});
