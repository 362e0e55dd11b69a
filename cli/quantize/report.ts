/** The figures of a whole file: every tensor in every format, and all tensors together. */
import type { CommandContext } from "../command.ts";
import { quantiseTensor, type Quantised } from "./apply.ts";
import { refuseNonFinite } from "./non-finite.ts";
import type { PlannedFormat, QuantizePlan } from "./plan.ts";
import { QuantizeProgress } from "./progress.ts";
import { type ErrorFigures, ErrorStatistics } from "./statistics.ts";
import type { NamedTensor } from "./tensors.ts";

export interface FormatReport extends ErrorFigures {
  readonly format: string;
  /** Bits of an element, its share of a block's scale included. */
  readonly bits: number;
  /** `none`, `tensor`, `channel`, a number, or what blocks have: `32 e8m0 floor`. */
  readonly scale: string | number;
}

export interface TensorReport {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: string;
  readonly formats: readonly FormatReport[];
}

export interface QuantizeReport {
  readonly tensors: readonly TensorReport[];
  /** All tensors together, in each format. */
  readonly all: readonly FormatReport[];
  /** What `all` is made of. */
  readonly totals: readonly ErrorStatistics[];
  /** The last tensor in the last format, as it was decoded. */
  readonly last: Quantised | undefined;
}

/**
 * Quantises every tensor to every format of the plan.
 *
 * @throws QuantizeError for NaN and infinities that the plan does not allow, or an axis that a tensor does not have.
 */
export async function quantizeReport(
  tensors: readonly NamedTensor[],
  plan: QuantizePlan,
  context: Pick<CommandContext, "stderr" | "signal">,
): Promise<QuantizeReport> {
  const progress = new QuantizeProgress(context);
  const totals = plan.formats.map(() => new ErrorStatistics());
  const reports: TensorReport[] = [];
  let last: Quantised | undefined;
  for (const { name, shape, dtype, ...tensor } of tensors) {
    const source = { name, shape, values: tensor.values() };
    if (!plan.allowNonFinite) refuseNonFinite(source);
    const formats: FormatReport[] = [];
    for (const [index, planned] of plan.formats.entries()) {
      const pace = progress.of(`${name} to ${planned.name}`, source.values.length);
      last = await quantiseTensor(source, planned, plan, pace);
      totals[index].include(last.statistics);
      formats.push({ ...describe(planned), ...last.statistics.figures() });
    }
    reports.push({ name, shape, dtype, formats });
  }
  const all = plan.formats.map((planned, index) => ({ ...describe(planned), ...totals[index].figures() }));
  return { tensors: reports, all, totals, last };
}

function describe(planned: PlannedFormat): Pick<FormatReport, "format" | "bits" | "scale"> {
  const { name, format } = planned;
  if (planned.kind === "scalar") return { format: name, bits: format.bits, scale: scaleName(planned) };
  const { block, scale, scaleRule, tensorScale } = planned.format;
  return {
    format: name,
    bits: format.bits,
    scale: `${block} ${scale.name} ${tensorScale ? "tensor" : scaleRule}`,
  };
}

/** `tensor`, `channel rms 2^k`: the rule, and how its scale differs from the usual one. */
function scaleName({ scale, from, powerOfTwo }: Extract<PlannedFormat, { kind: "scalar" }>): string | number {
  if (scale !== "tensor" && scale !== "channel") return scale;
  return [scale, ...(from === "rms" ? [from] : []), ...(powerOfTwo ? ["2^k"] : [])].join(" ");
}
