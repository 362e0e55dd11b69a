import { expect, it } from "vitest";
import { addMoves, farthestMove, medianMove, movesBetween } from "./weight-moves.ts";

const rung = 2 ** (1 / 16);

it("counts moves in rungs, signs and zeros apart", () => {
  const before = [1, 1, -1, 1, 0, 0.5, 1];
  const after = [1, rung ** 3, -(rung ** -2), -1, 0.1, 0, 2 ** 30];
  const moves = movesBetween(before, after, 16);
  expect(moves).toMatchObject({ rungsPerOctave: 16, zero: 2, flipped: 1, count: 7 });
  const at = (rungs: number): number => moves.counts[farthestMove + rungs];
  expect([at(0), at(3), at(-2), at(farthestMove)]).toEqual([2, 1, 1, 1]);
  expect(moves.counts.reduce((a, b) => a + b) + moves.zero).toBe(7);
  expect(medianMove(moves)).toBe(2);
  expect(medianMove(movesBetween([], [], 16))).toBe(0);
});

it("takes pairs that stand for many", () => {
  const one = movesBetween([1, 1, 2], [2, 2, 2], 4);
  expect(movesBetween([1, 2], [2, 2], 4, [2, 1])).toEqual(one);
  expect(addMoves([one, one])).toMatchObject({ count: 6 });
  expect(() => addMoves([one, movesBetween([1], [1], 8)])).toThrow(RangeError);
  expect(() => movesBetween([1], [], 4)).toThrow(RangeError);
});
