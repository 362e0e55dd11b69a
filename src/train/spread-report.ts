/** Where the numbers of a run lie in their formats: weights and moments, tensor by tensor, and how far weights have moved. */
import type { ScalarFormat } from "../formats/format.ts";
import type { SafetensorsTensor } from "../io/safetensors.ts";
import { fieldsOf, type Unit } from "../optim/fields.ts";
import type { OptimizerGroup } from "../optim/group.ts";
import { ladderOf } from "../optim/held.ts";
import { presets } from "../precision/presets.ts";
import type { JsonObject } from "./json.ts";
import { isFarReaching, spreadOfCodes, spreadOfNumbers, type Spread } from "./spread.ts";
import { storedCodes } from "./stored-codes.ts";
import { addMoves, medianMove, movesBetween, type Moves } from "./weight-moves.ts";

/** What a tensor is to the optimiser; `part` is what some rules keep in a weight's place. */
export type SpreadRole = "weight" | "part" | "first moment" | "second moment";

/** Tensors as a checkpoint holds them, with the formats of those that are codes. */
export interface StoredState {
  readonly tensors: Readonly<Record<string, SafetensorsTensor>>;
  readonly formats: JsonObject;
}

export interface TensorSpread extends Spread {
  readonly name: string;
  readonly role: SpreadRole;
  readonly shape: readonly number[];
  /** Of weights: where they began. */
  readonly initial?: Pick<Spread, "positive" | "negative">;
  /** Of weights, since they began: the median change in rungs, the shares within half a rung and of another sign. */
  readonly moved?: { readonly median: number; readonly stayed: number; readonly flipped: number };
}

export interface SpreadReport {
  /** Weights, then parts, first and second moments, in the model's order. */
  readonly tensors: readonly TensorSpread[];
  /** Of all weights of a format, by its name. */
  readonly moves: readonly (Moves & { readonly format: string })[];
  /** Tensors that are not among `tensors`: vectors in float32, and the smallest of a large model. */
  readonly leftOut: { readonly vectors: number; readonly small: number };
}

/** Parameters that a report shows, the largest of a model. */
const mostParameters = 40;

/** What numbers without a range of their own are held against: the formats of 8-bit state. */
const against = presets.state8;

/** A tensor of the state, and what it is. */
interface Place {
  readonly name: string;
  readonly role: SpreadRole;
  /** Of a moment on a ladder: what it would be a multiple of. */
  readonly unit?: Unit;
  /** The parameter that it belongs to. */
  readonly parameter: string;
}

const roles: readonly SpreadRole[] = ["weight", "part", "first moment", "second moment"];

/** The tensors of a group that hold numbers of weights. */
function placesOf({ optimizer, options, precision, slots, materialises }: OptimizerGroup): Place[] {
  const fields = fieldsOf(optimizer, options, { ...precision, moment: against.moment });
  return slots.flatMap(({ parameter: { name } }): Place[] => [
    ...(materialises ? [] : [{ name, role: "weight", parameter: name } as const]),
    ...fields.flatMap(({ name: field, field: { role }, unit }): Place[] => {
      if (role === "number") return [];
      const kind = role === "part" ? role : (`${role} moment` as const);
      return [{ name: `${name}.${field}`, role: kind, unit, parameter: name }];
    }),
  ]);
}

/**
 * Looks at all weights and moments of a run.
 *
 * @param groups  as the trainer has them.
 * @param now     the state to look at.
 * @param start   the state that training began with; null where it is not known: nothing is then said of moves.
 */
export function spreadReport(
  groups: readonly OptimizerGroup[],
  now: StoredState,
  start: StoredState | null,
): SpreadReport {
  const all = groups.flatMap(placesOf).filter(({ name }) => Object.hasOwn(now.tensors, name));
  const matrices = all.filter(({ name }) => isShown(now, name));
  const chosen = largestParameters(matrices, now);
  const shown = matrices.filter(({ parameter }) => chosen.has(parameter));
  const order = Object.keys(now.tensors);
  const sorted = shown.toSorted(
    (a, b) => roles.indexOf(a.role) - roles.indexOf(b.role) || order.indexOf(a.parameter) - order.indexOf(b.parameter),
  );
  const moves: { readonly format: string; readonly moves: Moves }[] = [];
  const tensors = sorted.map((place): TensorSpread => {
    const { format, shape } = valuesOf(now, place.name);
    const spread = spreadOf(now, place);
    const common = { name: place.name, role: place.role, shape, ...spread };
    if (place.role !== "weight" || start === null || !Object.hasOwn(start.tensors, place.name)) return common;
    const { positive, negative } = spreadOf(start, place, largest(now, place.name));
    const own = movesOf(start, now, place.name);
    moves.push({ format: format?.name ?? "fp32", moves: own });
    return { ...common, initial: { positive, negative }, moved: movedOf(own) };
  });
  const formats = [...new Set(moves.map(({ format }) => format))];
  return {
    tensors,
    moves: formats.map((format) => ({
      format,
      ...addMoves(moves.filter((own) => own.format === format).map((own) => own.moves)),
    })),
    leftOut: {
      vectors: countOf(all) - countOf(matrices),
      small: countOf(matrices) - countOf(shown),
    },
  };
} // prettier-ignore

const countOf = (places: readonly Place[]): number => new Set(places.map(({ parameter }) => parameter)).size;

/** Codes, and float32 of more than one axis. */
function isShown({ tensors, formats }: StoredState, name: string): boolean {
  return storedCodes(tensors[name], formats[name] ?? null) !== undefined || tensors[name].shape.length > 1;
}

function largestParameters(places: readonly Place[], state: StoredState): Set<string> {
  const sizes = new Map(
    places.map(({ parameter, name }) => [parameter, valuesOf(state, name).shape.reduce((a, b) => a * b, 1)]),
  );
  const bySize = [...sizes].toSorted(([, a], [, b]) => b - a);
  return new Set(bySize.slice(0, mostParameters).map(([parameter]) => parameter));
}

interface Values {
  /** Null for float32. */
  readonly format: ScalarFormat | null;
  readonly shape: readonly number[];
  readonly codes: ArrayLike<number>;
  /** What the numbers are, without a scale. */
  readonly at: (index: number) => number;
}

const tables = new Map<ScalarFormat, Float64Array>();

/** Values by code. */
function tableOf(format: ScalarFormat): Float64Array {
  const known = tables.get(format);
  if (known) return known;
  const made = Float64Array.from({ length: 2 ** format.bits }, (_, code) => format.decode(code));
  tables.set(format, made);
  return made;
}

function valuesOf({ tensors, formats }: StoredState, name: string): Values {
  const stored = storedCodes(tensors[name], formats[name] ?? null);
  if (stored) {
    const { format, codes, shape } = stored;
    const table = tableOf(format);
    return { format, shape, codes, at: (index) => table[codes[index]] };
  }
  const { bytes, shape } = tensors[name];
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
  const floats = new Float32Array(aligned.buffer, aligned.byteOffset, aligned.length / 4);
  return { format: null, shape, codes: floats, at: (index) => floats[index] };
}

/** All numbers of a tensor, without a scale; float32 as they lie in memory. */
const numbers = ({ codes, at }: Values): Float32Array =>
  codes instanceof Float32Array ? codes : Float32Array.from({ length: codes.length }, (_, i) => at(i));

/** @param top  of weights without a range: what to hold them against; default their largest magnitude. */
function spreadOf(state: StoredState, { name, role, unit, parameter }: Place, top?: number): Spread {
  const values = valuesOf(state, name);
  const { format, codes } = values;
  if (format && !isFarReaching(format)) return spreadOfCodes(codes, format);
  const kept = format?.name ?? "fp32";
  if (role === "second moment" && typeof unit === "number")
    return spreadOfNumbers(numbers(values), kept, {
      range: against.moment.second?.format ?? kept,
      top: unit,
    });
  if (role === "first moment") {
    const range = against.moment.first?.format ?? kept;
    const root = typeof unit === "object" && unit.kind === "root" ? unit : null;
    const second = root && valuesOf(state, `${parameter}.${root.of}`);
    // The second moment's own codes may have a scale of their own: only floats are divided by.
    if (!root || !second || second.format) return spreadOfNumbers(numbers(values), kept, { range });
    const inRoots = numbers(values).map((m, i) => (m === 0 ? 0 : m / Math.sqrt(second.at(i))));
    return spreadOfNumbers(inRoots, kept, { range, top: root.times });
  }
  return spreadOfNumbers(numbers(values), kept, { range: against.update?.format ?? kept, top: top ?? null });
}

/** The largest magnitude of a tensor of numbers; irrelevant to codes. */
function largest(state: StoredState, name: string): number {
  const values = valuesOf(state, name);
  if (values.format && !isFarReaching(values.format)) return 1;
  return numbers(values).reduce((most, value) => Math.max(most, Math.abs(value)), 0) || 1;
}

/** What a tensor's codes are multiples of. */
function scaleOf(state: StoredState, name: string): number {
  const scale = state.tensors[`${name}.scale`];
  const coded = storedCodes(state.tensors[name], state.formats[name] ?? null);
  if (!coded || isFarReaching(coded.format) || scale?.dtype !== "F32") return 1;
  return new Float32Array(scale.bytes.slice().buffer)[0];
}

/** In rungs of the tensor's own ladder; of other formats in sixteenths of an octave. */
function movesOf(start: StoredState, now: StoredState, name: string): Moves {
  const [before, after] = [start, now].map((state) => valuesOf(state, name));
  const [from, to] = [start, now].map((state) => scaleOf(state, name));
  const ladder = after.format && ladderOf(after.format);
  const rungsPerOctave = ladder ? 1 / ladder.octavesPerRung : 16;
  const values = (side: Values, scale: number) => numbers(side).map((value) => value * scale);
  if (after.format === null || after.format !== before.format || after.format.bits > 8)
    return movesBetween(values(before, from), values(after, to), rungsPerOctave);
  // Few pairs of codes are different: each is looked at once.
  const { bits } = after.format;
  const times = new Float64Array(4 ** bits);
  for (let i = 0; i < after.codes.length; i++) times[before.codes[i] * 2 ** bits + after.codes[i]]++;
  const pairs = Array.from(times.keys()).filter((pair) => times[pair] > 0);
  const decode = tableOf(after.format);
  const first = pairs.map((pair) => from * decode[Math.floor(pair / 2 ** bits)]);
  const second = pairs.map((pair) => to * decode[pair % 2 ** bits]);
  return movesBetween(first, second, rungsPerOctave, pairs.map((pair) => times[pair]));
} // prettier-ignore

/** Moves in three figures. */
export function movedOf(moves: Moves): NonNullable<TensorSpread["moved"]> {
  const { counts, flipped, count } = moves;
  const stayed = counts[(counts.length - 1) / 2];
  return { median: medianMove(moves), stayed: stayed / Math.max(1, count), flipped: flipped / Math.max(1, count) };
} // prettier-ignore
