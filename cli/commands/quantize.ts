/** `logrung quantize`: what formats do to an array. */
import { checkPositionals } from "../arguments.ts";
import type { Command, CommandContext } from "../command.ts";
import { UsageError } from "../errors.ts";
import type { QuantizePlan } from "../quantize/plan.ts";
import type { QuantizeReport } from "../quantize/report.ts";
import type { NamedTensor } from "../quantize/tensors.ts";

/** Quantises and decodes every array of a file, and says how far the result is from it. */
export const command: Command = {
  name: "quantize",
  summary: "says what number formats do to the arrays of a file",
  usage: "quantize <file.npy | file.safetensors> --format <name,…> [--output <out.npy>] [--html <page.html>]",
  options: [
    {
      name: "format",
      type: "string",
      placeholder: "<name,…>",
      repeats: true,
      doc: "one or several formats, by comma or by repeating it; logrung formats lists them",
    },
    {
      name: "rounding",
      type: "string",
      placeholder: "<rule>",
      doc: "nearest-even (default), nearest-away, floor or stochastic",
    },
    {
      name: "scale",
      type: "string",
      placeholder: "<rule>",
      doc: "none, tensor, channel (a line along --axis), block (E8M0), or a number; default: tensor, none for fp32 bf16 fp16, block formats their own",
    },
    {
      name: "from",
      type: "string",
      placeholder: "<max|rms>",
      doc: "what tensor and channel scales are taken from: the largest magnitude (default), or three root mean squares",
    },
    { name: "power-of-two", type: "boolean", doc: "round tensor and channel scales up to a power of two" },
    {
      name: "axis",
      type: "string",
      placeholder: "<n>",
      doc: "along which blocks and channels run; default -1, the last",
    },
    { name: "block", type: "string", placeholder: "<16|32|64>", doc: "elements that share a block scale" },
    {
      name: "scale-rule",
      type: "string",
      placeholder: "<rule>",
      doc: "how E8M0 scales are found: floor (as OCP MX), ceil or even",
    },
    { name: "seed", type: "string", placeholder: "<n>", doc: "of stochastic rounding; default 0" },
    {
      name: "nan",
      type: "string",
      placeholder: "<refuse|allow>",
      doc: "NaN and infinities in the file: refuse (default), or count them and leave them out of scales and statistics",
    },
    {
      name: "output",
      type: "string",
      placeholder: "<out.npy>",
      doc: "writes the array after quantising and decoding, same type and shape (BF16 as float32); one tensor, one format",
    },
    { name: "html", type: "string", placeholder: "<page.html>", doc: "writes a page with a picture" },
  ],
  examples: [
    "logrung quantize weights.npy --format lns8-g8,fp8-e4m3,mxfp8-e4m3",
    "logrung quantize model.safetensors --format mxfp4-e2m1 --format nvfp4 --html model.html",
    "logrung quantize weights.npy --format int4 --scale channel --output weights-int4.npy",
    "logrung quantize weights.npy --format mxfp6-e2m3 --block 16 --scale-rule even --json",
    "logrung quantize gradients.npy --format fp8-e5m2 --rounding stochastic --seed 7",
    "logrung quantize weights.npy --format lns8-g8 --from rms --power-of-two",
  ],
  async run(context) {
    checkPositionals(command, context.positionals, 1, 1);
    const { quantizePlan } = await import("../quantize/plan.ts");
    const plan = quantizePlan(context.values);
    const files = await filesOf(context);
    const tensors = await open(files.path, context);
    if (files.output !== undefined) checkSingle(tensors.length, plan.formats.length);
    const { quantizeReport } = await import("../quantize/report.ts");
    const report = await quantizeReport(tensors, plan, context);
    await writeFiles(files, tensors[0], plan, report, context);
    if (context.json) {
      const { rounding, axis, seed } = plan;
      const figures = { path: files.path, rounding, axis, seed, tensors: report.tensors, all: report.all };
      context.stdout.write(`${JSON.stringify(figures)}\n`);
      return;
    }
    const { formatTable } = await import("../table.ts");
    const { reportHeader, reportRows } = await import("../quantize/listing.ts");
    context.stdout.write(formatTable(reportHeader, reportRows(report)));
  },
};

/** The file's tensors of floats; others are named on stderr. */
async function open(path: string, { stderr }: CommandContext): Promise<readonly NamedTensor[]> {
  const { readBytes } = await import("../../src/io/read-file.ts");
  const { openTensors } = await import("../quantize/tensors.ts");
  const { tensors, skipped } = openTensors(await readBytes(path), path);
  if (skipped.length > 0) stderr.write(`quantize: no floats, skipped: ${skipped.join(", ")}\n`);
  return tensors;
}

interface Files {
  readonly path: string;
  readonly output: string | undefined;
  readonly page: string | undefined;
}

async function writeFiles(
  { path, output, page }: Files,
  tensor: NamedTensor,
  plan: QuantizePlan,
  report: QuantizeReport,
  { stderr }: CommandContext,
): Promise<void> {
  if (output !== undefined && report.last !== undefined) {
    const { writeQuantised } = await import("../quantize/write-output.ts");
    await writeQuantised(output, tensor, report.last.decoded, stderr);
  }
  if (page === undefined) return;
  const { writeFileAtomic } = await import("../../src/io/atomic-file.ts");
  const { quantizePicture } = await import("../quantize/picture.ts");
  await writeFileAtomic(page, quantizePicture(path, plan, report));
  stderr.write(`quantize: ${page}\n`);
}

/** @throws UsageError when a file to be written is the one to be read, or has the wrong kind of name. */
async function filesOf({ positionals: [given], values, cwd }: CommandContext): Promise<Files> {
  const { resolve } = await import("node:path");
  const path = resolve(cwd, given);
  const target = (key: "output" | "html", ending: string): string | undefined => {
    const text = values[key];
    if (typeof text !== "string") return undefined;
    if (!text.toLowerCase().endsWith(ending))
      throw new UsageError(`--${key} is "${text}", wants a file *${ending}`);
    if (resolve(cwd, text) === path) throw new UsageError(`--${key} "${text}" is the file that is read`);
    return resolve(cwd, text);
  };
  return { path, output: target("output", ".npy"), page: target("html", ".html") };
}

function checkSingle(tensors: number, formats: number): void {
  if (tensors === 1 && formats === 1) return;
  throw new UsageError(
    `--output writes one array: it wants one tensor (the file has ${tensors}) and one format (came ${formats})`,
  );
}
