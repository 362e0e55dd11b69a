/** `logrung data`: which data sets there are, whether they are whole, and where to get them. */
import type { Dataset } from "../../src/data/dataset.ts";
import { checkPositionals } from "../arguments.ts";
import type { Command, CommandContext } from "../command.ts";
import { exitCodes, UsageError } from "../errors.ts";

/** Lists, checks and downloads data sets. */
export const command: Command = {
  name: "data",
  summary: "lists, checks and downloads data sets",
  usage: "data list | data check <set> | data get <set>",
  options: [
    {
      name: "data-dir",
      type: "string",
      placeholder: "<folder>",
      doc: "where data sets lie, or the files of this one; default $LOGRUNG_DATA, else ~/.cache/logrung",
    },
    {
      name: "from",
      type: "string",
      placeholder: "<url>",
      doc: "get: fetch the files from this place instead of the official one; checksums stay the same",
    },
  ],
  examples: [
    "logrung data list",
    "logrung data get fashion-mnist",
    "logrung data check cifar-10 --data-dir=/data/cifar-10",
  ],
  run(context) {
    const [action, name] = context.positionals;
    const run = actions[action ?? "list"];
    if (run === undefined) throw new UsageError(`data does not know "${action}"; usage: logrung ${command.usage}`);
    const names = run === list ? 0 : 1;
    checkPositionals(command, context.positionals, action === undefined ? 0 : 1 + names, 1 + names);
    if (context.values.from !== undefined && run !== get) throw new UsageError('"--from" is for data get');
    return run(context, name);
  },
}; // prettier-ignore

const actions: Readonly<Record<string, (context: CommandContext, name: string) => Promise<number | void>>> = {
  list,
  check,
  get,
};

const textValue = (value: string | boolean | undefined): string | undefined =>
  typeof value === "string" ? value : undefined;

async function place({ values, env, cwd }: CommandContext): Promise<string> {
  const { dataFolder } = await import("../../src/data/data-folder.ts");
  return dataFolder({ dataDir: textValue(values["data-dir"]), env, cwd });
}

async function opened(context: CommandContext, name: string): Promise<{ dataset: Dataset; folder: string }> {
  const { findDataset, folderOf } = await import("../../src/data/data-folder.ts");
  const dataset = findDataset(name);
  return { dataset, folder: folderOf(dataset, await place(context)) };
}

async function list(context: CommandContext): Promise<void> {
  const { allDatasets, folderOf } = await import("../../src/data/data-folder.ts");
  const { filesOf, findFile } = await import("../../src/data/official-file.ts");
  const { formatTable } = await import("../table.ts");
  const root = await place(context);
  const rows = allDatasets().map((dataset) => {
    const { name, kind, summary, homepage, licence } = dataset;
    const folder = folderOf(dataset, root);
    const files = filesOf(dataset);
    const present = files.filter((file) => findFile(dataset, folder, file) !== undefined).length;
    return { name, kind, summary, homepage, licence, folder, files: files.length, present };
  });
  if (context.json) return void context.stdout.write(`${JSON.stringify(rows)}\n`);
  const cells = rows.map(({ name, summary, present, files, folder }) => [
    name,
    present === files ? "yes" : present === 0 ? "no" : `${present} of ${files} files`,
    present === 0 ? "" : folder,
    summary,
  ]);
  context.stdout.write(formatTable(["set", "present", "where", "what"], cells));
}

/** Code 2, as for any input that cannot be used, when something is wrong with the set. */
async function check(context: CommandContext, name: string): Promise<number> {
  const { dataset, folder } = await opened(context, name);
  const { checkDataset } = await import("../../src/data/check-dataset.ts");
  const report = await checkDataset(dataset, folder);
  if (context.json) context.stdout.write(`${JSON.stringify(report)}\n`);
  else context.stdout.write((await import("../data-report.ts")).dataReport(dataset, report));
  for (const fault of report.faults) context.stderr.write(`logrung: data "${name}": ${fault}\n`);
  if (report.files.every(({ state }) => state === "missing"))
    context.stderr.write(`logrung: download it: logrung data get ${name}\n`);
  return report.faults.length === 0 ? exitCodes.success : exitCodes.wrongUse;
}

async function get(context: CommandContext, name: string): Promise<void> {
  const { findDataset, dataFolder, folderOf } = await import("../../src/data/data-folder.ts");
  const { getDataset } = await import("../../src/data/get-dataset.ts");
  const { downloadReporter } = await import("../data-report.ts");
  const { values, env, cwd, signal, json, stdout, stderr } = context;
  const dataset = findDataset(name);
  const folder = folderOf(dataset, dataFolder({ dataDir: textValue(values["data-dir"]), env, cwd }));
  const from = textValue(values.from);
  stderr.write(`${name}: ${dataset.summary}\nlicence: ${dataset.licence}\n`);
  await getDataset(dataset, { folder, from, signal, onEvent: downloadReporter(stderr) });
  stdout.write(json ? `${JSON.stringify({ name, folder })}\n` : `${folder}\n`);
}
