/** `logrung report`: the figures of runs, and a page to look at. */
import { resolve } from "node:path";
import { checkPositionals } from "../arguments.ts";
import type { Command } from "../command.ts";

/** One run: writes its `report.html` anew. Several: a page that compares them. */
export const command: Command = {
  name: "report",
  summary: "shows the figures of runs and writes a page with their curves",
  usage: "report <run…> [--output <file.html>]",
  options: [
    {
      name: "output",
      type: "string",
      placeholder: "<file.html>",
      doc: "where the page goes; default report.html in the run, for several runs in this folder",
    },
  ],
  examples: [
    "logrung report runs/my-run",
    "logrung report runs/adamw runs/lns-madam --output compared.html",
    "logrung report runs/* --json",
  ],
  async run({ positionals, values, json, cwd, stdout, stderr }) {
    checkPositionals(command, positionals, 1, Number.POSITIVE_INFINITY);
    const { reportOf, writeReportFile } = await import("../report/write-report.ts");
    const { figures } = await import("../report/figures.ts");
    const { formatTable } = await import("../table.ts");
    const folders = positionals.map((path) => resolve(cwd, path));
    const data = await reportOf(folders);
    const standard = folders.length === 1 ? resolve(folders[0], "report.html") : resolve(cwd, "report.html");
    const page = typeof values.output === "string" ? resolve(cwd, values.output) : standard;
    await writeReportFile(page, data);
    stderr.write(`report: ${page}\n`);
    if (json) {
      const runs = data.runs.map(({ name, config, summary }, index) => {
        const { ladders: _, sample: __, ...result } = summary;
        return { name, path: folders[index], ...result, config };
      });
      stdout.write(`${JSON.stringify({ page, runs })}\n`);
      return;
    }
    const rows = figures.map(({ label, read }) => [label, ...data.runs.map(read)]);
    stdout.write(formatTable(["", ...data.runs.map(({ name }) => `>${name}`)], rows));
  },
};
