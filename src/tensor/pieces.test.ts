import { afterAll, describe, expect, it } from "vitest";
import { format } from "../formats/index.ts";
import { createReferenceBackend } from "../kernels/reference/index.ts";
import { createWasmBackend } from "../kernels/wasm/index.ts";
import { Device } from "./device.ts";
import { fillElements, fillTensor, mapTensor, visitTensor } from "./pieces.ts";
import { FLOAT32, INT32, readTensor, type Encoding } from "./tensor.ts";

const devices = [
  new Device(createReferenceBackend()),
  new Device(await createWasmBackend({ threads: 1, features: { shared: false } })),
];
afterAll(() => Promise.all(devices.map((device) => device.close())));

/** Two whole pieces and a rest. */
const SIZE = 2 * 8192 + 5;

describe.each(devices.map((device) => [device.backend.name, device] as const))(
  "pieces on %s",
  (_, device) => {
    it("fill a tensor in order, leave its neighbours alone, and come back the same", async () => {
      const [before, tensor, after] = [device.empty([16]), device.empty([SIZE]), device.empty([16])];
      for (const each of [before, after]) fillTensor(each, (piece) => piece.fill(-1));
      fillTensor(tensor, (piece, from) => piece.forEach((_x, i) => (piece[i] = from + i)));
      const seen: number[] = [];
      await visitTensor(tensor, (piece, from) => seen.push(piece.length, from, piece[0]));
      expect(seen).toEqual([8192, 0, 0, 8192, 8192, 8192, 5, 16_384, 16_384]);
      expect([...(await readTensor(tensor))]).toEqual(Array.from({ length: SIZE }, (_x, i) => i));
      for (const each of [before, after]) expect([...(await readTensor(each))]).toEqual(Array(16).fill(-1));
    });

    it("change a tensor where it lies, rounded to float32", async () => {
      const tensor = device.empty([SIZE]);
      fillTensor(tensor, (piece) => piece.fill(3));
      await mapTensor(tensor, tensor, (value, index) => value / (index + 1));
      const wanted = Array.from({ length: SIZE }, (_x, i) => Math.fround(3 / (i + 1)));
      expect([...(await readTensor(tensor))]).toEqual(wanted);
    });

    it("give every element of any encoding the same code", async () => {
      const scale = device.tensor(Float32Array.of(1), [1]);
      const coded = (name: string, packed: boolean): Encoding => ({
        kind: "coded",
        format: format(name),
        scale,
        scaleAxis: null,
        packed,
      });
      const cases = [
      [FLOAT32, 1.5], [INT32, -7], [coded("lns8-g8", false), 129], [coded("lns16-g1024", false), 40_000],
      [coded("fp4-e2m1", true), 9], [coded("fp6-e2m3", true), 45],
    ] as const; // prettier-ignore
      for (const [encoding, element] of cases) {
        const tensor = device.empty([3, 10_923], encoding);
        fillElements(tensor, element);
        expect((await readTensor(tensor)).every((x) => x === element)).toBe(true);
      }
    });
  },
);
