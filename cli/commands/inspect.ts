/** `logrung inspect`: what a run or a checkpoint holds. */
import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import type { SafetensorsTensor } from "../../src/io/safetensors.ts";
import type { JsonObject } from "../../src/train/json.ts";
import { checkPositionals } from "../arguments.ts";
import type { Command, CommandContext } from "../command.ts";
import type { TensorReport } from "../inspect.ts";

interface Opened {
  readonly path: string;
  readonly tensors: Readonly<Record<string, SafetensorsTensor>>;
  readonly metadata: JsonObject;
}

/** Shows the tensors of a checkpoint, of the newest checkpoint of a run, or of any safetensors file. */
export const command: Command = {
  name: "inspect",
  summary: "shows the tensors of a run or of any safetensors file",
  usage: "inspect <run | file.safetensors> [--checkpoint step-<n>]",
  options: [
    {
      name: "checkpoint",
      type: "string",
      placeholder: "step-<n>",
      doc: "which checkpoint of the run; default the newest",
    },
  ],
  examples: ["logrung inspect runs/my-run", "logrung inspect model.safetensors --json"],
  async run(context) {
    checkPositionals(command, context.positionals, 1, 1);
    const { inspectTensors } = await import("../inspect.ts");
    const { path, tensors, metadata } = await open(context);
    const formats = typeof metadata.formats === "object" ? (metadata.formats as JsonObject) : {};
    const reports = inspectTensors(tensors, formats);
    if (context.json) context.stdout.write(`${JSON.stringify({ path, metadata, tensors: reports })}\n`);
    else context.stdout.write(await asText(path, metadata, reports));
  },
};

async function open({ positionals: [given], values, cwd }: CommandContext): Promise<Opened> {
  const path = resolve(cwd, given);
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory() !== true) return openFile(path);
  const { latestCheckpoint, namedCheckpoint } = await import("../../src/train/checkpoint-folder.ts");
  const name = values.checkpoint;
  const loaded = await (typeof name === "string" ? namedCheckpoint(path, name) : latestCheckpoint(path));
  return { path: loaded.path, ...loaded.checkpoint };
}

/** One of our checkpoints is checked whole; any other safetensors file is read as it is. */
async function openFile(path: string): Promise<Opened> {
  const { readBytes } = await import("../../src/io/read-file.ts");
  const { decodeSafetensors } = await import("../../src/io/safetensors.ts");
  const { CheckpointError, decodeCheckpoint } = await import("../../src/train/checkpoint.ts");
  const bytes = await readBytes(path);
  try {
    return { path, ...(await decodeCheckpoint(bytes, path)) };
  } catch (error) {
    if (!(error instanceof CheckpointError) || error.fault !== "foreign") throw error;
    const { tensors, metadata } = decodeSafetensors(bytes, path);
    return { path, tensors: Object.fromEntries(tensors), metadata };
  }
}

async function asText(path: string, metadata: JsonObject, reports: readonly TensorReport[]): Promise<string> {
  const { formatBytes, formatTable } = await import("../table.ts");
  const total = reports.reduce((sum, { bytes }) => sum + bytes, 0);
  const { formats: _, ...facts } = metadata;
  const lines = Object.entries(facts).map(([key, value]) => `  ${key}: ${shorten(JSON.stringify(value))}`);
  const header = ["tensor", "shape", "type", ">bytes", ">min", ">max", ">zero", ">top", "rungs, low to high"];
  const rows = await Promise.all(reports.map(row));
  const summary = `${reports.length} tensors, ${formatBytes(total)}`;
  return `${[path, ...lines, summary].join("\n")}\n\n${formatTable(header, rows)}`;
}

function shorten(text: string): string {
  return text.length > 90 ? `${text.slice(0, 89)}…` : text;
}

async function row(report: TensorReport): Promise<string[]> {
  const { formatFigure, sparkline } = await import("../table.ts");
  const { name, shape, dtype, format, bytes, min, max, nonFinite, ladder } = report;
  const figure = (value: number | null): string => (value === null ? "" : formatFigure(value));
  const warning = nonFinite > 0 ? ` (${nonFinite} not finite)` : "";
  const cells = [name, `[${shape.join(", ")}]`, format ?? dtype, String(bytes), figure(min), figure(max)];
  if (ladder === undefined) return [...cells, "", "", warning.trim()];
  const both = ladder.positive.map((count, bin) => count + ladder.negative[bin]);
  const elements = both.reduce((sum, count) => sum + count, ladder.zeros);
  const share = (count: number): string => `${((100 * count) / Math.max(1, elements)).toFixed(1)} %`;
  return [...cells, share(ladder.zeros), share(ladder.top), sparkline(both)];
}
