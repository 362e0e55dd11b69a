import { describe, it } from "vitest";
import { expectAgreement, sequence, wholeNumbers } from "../../../test/wasm/agree.ts";
import { gather } from "../gather.ts";
import { index } from "../program.ts";
import { element, gathered, output, perColumn, perRow } from "../signature.ts";
import { lowerGather } from "./gather.ts";

const take = gather(
  "take",
  "gather",
  {
    source: gathered("f32"),
    codes: gathered("u8"),
    x: element("f32"),
    r: perRow("f32"),
    c: perColumn("f32"),
  },
  { a: "f32" },
  ({ source, codes, x, r, c, a }) =>
    output("f32", source.add(codes.toF32()).mul(a).add(x.mul(r)).add(c).add(index("row").toF32())),
);
const add = gather("add", "accumulate", { x: element("bf16"), r: perRow("f32") }, {}, ({ x, r }) =>
  output("f32", x.mul(r)),
);

const indices = (rows: number, among: number, seed = 5): Int32Array<ArrayBuffer> => {
  const next = sequence(seed);
  return Int32Array.from({ length: rows }, () => Math.floor(next() * among));
};

describe("gather", () => {
  it("takes rows at every width, on one thread and on two", async () => {
    for (let columns = 1; columns <= 40; columns++)
      for (const threads of [1, 2])
        await expectAgreement(lowerGather, take, {
          inputs: {
            source: wholeNumbers(11 * columns), codes: Uint8Array.from({ length: 11 * columns }, (_, i) => i * 7),
            x: wholeNumbers(23 * columns, 2), r: wholeNumbers(23, 3), c: wholeNumbers(columns, 4),
            index: indices(23, 11),
          },
          outputs: { out: ["f32", 23 * columns] },
          uniforms: { a: 2 },
          sizes: { rows: 23, columns },
          threads,
        });
  }); // prettier-ignore

  it("moves narrow codes without changing them", async () => {
    const move = gather("move", "gather", { source: gathered("u16") }, {}, ({ source }) =>
      output("u16", source),
    );
    for (const columns of [1, 3, 16, 50])
      await expectAgreement(lowerGather, move, {
        inputs: {
          source: Uint16Array.from({ length: 9 * columns }, (_, i) => i * 7919),
          index: indices(30, 9),
        },
        outputs: { out: ["u16", 30 * columns] },
        sizes: { rows: 30, columns },
        threads: 2,
      });
  });
});

describe("accumulate", () => {
  it("adds rows in order to what is there, whatever the threads", async () => {
    for (const [rows, columns] of [[5, 1], [40, 7], [200, 33], [64, 100], [3, 5000]])
      for (const threads of [1, 2, 4])
        await expectAgreement(lowerGather, add, {
          inputs: {
            x: Uint16Array.from({ length: rows * columns }, (_, i) => 0x3f00 + ((i * 37) & 0xff)),
            r: Float32Array.from({ length: rows }, (_, i) => 1 / (i + 3)),
            index: indices(rows, 6),
            out: wholeNumbers(6 * columns),
          },
          outputs: { out: ["f32", 6 * columns] },
          sizes: { rows, columns },
          threads,
        });
  }); // prettier-ignore
});
