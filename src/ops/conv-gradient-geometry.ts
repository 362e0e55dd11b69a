/** Tables of the input's gradient of a convolution: windows over the output's gradient, by the stride's phases. */
import { surrounded, type ConvGeometry, type Offsets, type Spread } from "./conv-geometry.ts";

/**
 * Pixels of the input that are alike modulo the stride. The same taps of the kernel reach all of them, so that their
 * gradient is a convolution of dL/d(output) by those taps, without the zeros that a stride puts between its pixels.
 */
export interface GradientPhase {
  /** Patches of dL/d(output) with zeros around: [pixels, taps · output channels of a group]. */
  readonly patches: Offsets;
  /** Those taps of the mirrored kernel of a group as a matrix: [taps · output channels, input channels]. */
  readonly kernel: Offsets;
}

/** How the input's gradient is made. */
export interface GradientPlan {
  /** dL/d(output) with zeros around, which windows slide over; null where it needs none. */
  readonly field: Spread | null;
  /** Phases that any tap reaches. */
  readonly phases: readonly GradientPhase[];
  /**
   * For each pixel of the input where it is among the pixels of all phases, one phase after the other; zero where no tap
   * reaches it. Null where that is the order of the input itself.
   */
  readonly places: Spread | null;
}

/** A tap along one axis, and how many pixels of the output behind its own a pixel of the input looks through it. */
interface Tap {
  readonly tap: number;
  readonly shift: number;
}

/** Along one axis: the pixels i, i + stride, i + 2 · stride, …, and the taps that reach them, by shift. */
interface AxisPhase {
  readonly first: number;
  readonly count: number;
  readonly taps: readonly Tap[];
}

/** (i + padding - tap · dilation) / stride must be whole: then it is the output's pixel. */
function axisPhases(geometry: ConvGeometry, axis: 0 | 1): AxisPhase[] {
  const { input, stride, dilation } = geometry;
  const size = axis === 0 ? input.height : input.width;
  const [kernel, padding] = [geometry.kernel[axis], geometry.padding[axis]];
  return Array.from({ length: Math.min(stride, size) }, (_, first) => ({
    first,
    count: Math.ceil((size - first) / stride),
    taps: Array.from({ length: kernel }, (_unused, i) => {
      const tap = kernel - 1 - i;
      return { tap, shift: (first + padding - tap * dilation) / stride };
    }).filter(({ shift }) => Number.isInteger(shift)),
  }));
}

/** Zeros that windows want before and behind an axis of `size` pixels. */
function margins(phases: readonly AxisPhase[], size: number): readonly [number, number] {
  const reached = phases.flatMap(({ count, taps }) =>
    taps.map(({ shift }) => [shift, shift + count - 1] as const),
  );
  const least = Math.min(0, ...reached.map(([low]) => low));
  const most = Math.max(size - 1, ...reached.map(([, high]) => high));
  return [-least, most - (size - 1)];
}

/** The phases of a geometry, and where their pixels go. */
export function gradientPlan(geometry: ConvGeometry): GradientPlan {
  const { output } = geometry;
  const rows = axisPhases(geometry, 0);
  const columns = axisPhases(geometry, 1);
  const [top, bottom] = margins(rows, output.height);
  const [left, right] = margins(columns, output.width);
  const [height, width] = [top + output.height + bottom, left + output.width + right];
  const margin = top + bottom + left + right > 0;
  const pairs = rows
    .flatMap((row) => columns.map((column) => [row, column] as const))
    .filter(([row, column]) => row.taps.length * column.taps.length > 0);
  return {
    field: margin ? surrounded(output, height, width, [top, left]) : null,
    phases: pairs.map((pair) => phaseOf(pair, geometry, { height, width, top, left })),
    places: geometry.stride === 1 ? null : placesOf(pairs, geometry),
  };
}

interface FieldSize {
  readonly height: number;
  readonly width: number;
  readonly top: number;
  readonly left: number;
}

function phaseOf(
  [row, column]: readonly [AxisPhase, AxisPhase],
  { input, output, kernel, groups, depth }: ConvGeometry,
  { height, width, top, left }: FieldSize,
): GradientPhase {
  const { channels } = output;
  const [inGroup, outGroup] = [input.channels / groups, channels / groups];
  const [firstY, firstX] = [row.taps[0].shift, column.taps[0].shift];
  const corners = Int32Array.from({ length: input.batch * row.count * column.count }, (_, i) => {
    const [line, x] = [Math.floor(i / column.count), i % column.count];
    const [n, y] = [Math.floor(line / row.count), line % row.count];
    return ((n * height + y + top + firstY) * width + x + left + firstX) * channels;
  });
  const taps = row.taps.flatMap((y) => column.taps.map((x) => [y, x] as const));
  const inPatch = taps.flatMap(([y, x]) => {
    const at = ((y.shift - firstY) * width + x.shift - firstX) * channels;
    return Array.from({ length: outGroup }, (_, o) => at + o);
  });
  const inKernel = taps.flatMap(([y, x]) =>
    Array.from({ length: outGroup }, (_, o) => o * depth + (y.tap * kernel[1] + x.tap) * inGroup),
  );
  const adjacent = groups === 1 && column.taps.every(({ shift }, i) => shift === firstX + i);
  const run = adjacent ? column.taps.length * channels : outGroup;
  return {
    patches: { rows: corners, columns: Int32Array.from(inPatch), run },
    kernel: {
      rows: Int32Array.from(inKernel),
      columns: Int32Array.from({ length: inGroup }, (_, c) => c),
      run: inGroup,
    },
  };
}

function placesOf(
  pairs: readonly (readonly [AxisPhase, AxisPhase])[],
  { input, stride }: ConvGeometry,
): Spread {
  const { batch, height, width } = input;
  const source = new Int32Array(batch * height * width).fill(-1);
  let at = 0;
  for (const [row, column] of pairs)
    for (let n = 0; n < batch; n++)
      for (let y = row.first; y < height; y += stride)
        for (let x = column.first; x < width; x += stride) source[(n * height + y) * width + x] = at++;
  return { height, width, source };
}
