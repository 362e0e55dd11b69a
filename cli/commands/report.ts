/** `logrung report`: the figures of runs, and a page to look at. */
import { resolve } from "node:path";
import { checkPositionals } from "../arguments.ts";
import type { Command } from "../command.ts";
import { UsageError } from "../errors.ts";
import type { ReportData } from "../report/report-data.ts";

const textOf = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined);

/** The data with pictures made from a checkpoint, where that is asked for. */
async function seenAnew(
  data: ReportData,
  folders: readonly string[],
  { checkpoint, text }: { readonly checkpoint: string | undefined; readonly text: string | undefined },
): Promise<ReportData> {
  if (checkpoint === undefined && text === undefined) return data;
  if (folders.length > 1) throw new UsageError("--checkpoint and --text are for a report on one run");
  const { checkpointPictures } = await import("../checkpoint-pictures.ts");
  const pictures = await checkpointPictures(folders[0], checkpoint, text);
  const [run] = data.runs;
  return { ...data, runs: [{ ...run, summary: { ...run.summary, ...pictures } }] };
}

/** One run: writes its `report.html` anew. Several: a page that compares them. */
export const command: Command = {
  name: "report",
  summary: "shows the figures of runs and writes a page with their curves",
  usage: "report <run…> [--output <file.html>] [--checkpoint step-<n>] [--text <text>]",
  options: [
    {
      name: "output",
      type: "string",
      placeholder: "<file.html>",
      doc: "where the page goes; default report.html in the run, for several runs in this folder",
    },
    {
      name: "checkpoint",
      type: "string",
      placeholder: "step-<n>",
      doc: "draws weights, moments and attention as this checkpoint has them; default as the end of the run had",
    },
    {
      name: "text",
      type: "string",
      placeholder: "<text>",
      doc: "draws the attention to this text, at the newest checkpoint or the one named",
    },
  ],
  examples: [
    "logrung report runs/my-run",
    "logrung report runs/adamw runs/lns-madam --output compared.html",
    'logrung report runs/my-run --checkpoint step-1000 --text "to be or not to be"',
    "logrung report runs/* --json",
  ],
  async run({ positionals, values, json, cwd, stdout, stderr }) {
    checkPositionals(command, positionals, 1, Number.POSITIVE_INFINITY);
    const { reportOf, writeReportFile } = await import("../report/write-report.ts");
    const { figures } = await import("../report/figures.ts");
    const { formatTable } = await import("../table.ts");
    const folders = positionals.map((path) => resolve(cwd, path));
    const asked = { checkpoint: textOf(values.checkpoint), text: textOf(values.text) };
    const data = await seenAnew(await reportOf(folders), folders, asked);
    const standard = folders.length === 1 ? resolve(folders[0], "report.html") : resolve(cwd, "report.html");
    const page = typeof values.output === "string" ? resolve(cwd, values.output) : standard;
    await writeReportFile(page, data);
    stderr.write(`report: ${page}\n`);
    if (json) {
      const runs = data.runs.map(({ name, config, summary }, index) => {
        const { ladders: _, sample: __, spreads: ___, attention: ____, ...result } = summary;
        return { name, path: folders[index], ...result, config };
      });
      stdout.write(`${JSON.stringify({ page, runs })}\n`);
      return;
    }
    const rows = figures.map(({ label, read }) => [label, ...data.runs.map(read)]);
    stdout.write(formatTable(["", ...data.runs.map(({ name }) => `>${name}`)], rows));
  },
};
