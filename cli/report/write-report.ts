/** Writing `report.html`. */
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { writeFileAtomic } from "../../src/io/atomic-file.ts";
import { renderReport, type ReportAssets } from "./html.ts";
import { readReportRun, type ReportData } from "./report-data.ts";

/**
 * Writes `report.html` into a folder: of the run that lies there, or of the data given.
 *
 * @returns its path.
 * @throws FileError when it cannot be written; RunFolderError when no data is given and the folder is no run.
 */
export async function writeReport(folder: string, data?: ReportData): Promise<string> {
  const path = join(folder, "report.html");
  await writeReportFile(path, data ?? (await reportOf([folder])));
  return path;
}

/** {@link writeReport} under any name. */
export async function writeReportFile(path: string, data: ReportData): Promise<void> {
  await writeFileAtomic(path, renderReport(data, await readAssets()));
}

/** The data of a report on runs. @throws RunFolderError when a folder is no run, MetricsError, FileError. */
export async function reportOf(folders: readonly string[]): Promise<ReportData> {
  const runs = [];
  for (const folder of folders) runs.push(await readReportRun(folder));
  return { title: runs.length === 1 ? runs[0].name : `${runs.length} runs compared`, runs };
}

async function readAssets(): Promise<ReportAssets> {
  const { resolve } = createRequire(import.meta.url);
  const [script, style] = await Promise.all([
    readFile(resolve("uplot/dist/uPlot.iife.min.js"), "utf8"),
    readFile(resolve("uplot/dist/uPlot.min.css"), "utf8"),
  ]);
  return { script, style };
}
