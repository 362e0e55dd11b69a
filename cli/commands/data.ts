/** `logrung data`: which data sets there are, whether they are whole, and where to get them. */
import { resolve } from "node:path";
import type { Dataset } from "../../src/data/dataset.ts";
import type { Tokenizer } from "../../src/data/tokenizer.ts";
import { suggestion } from "../../src/formats/nearest-name.ts";
import { checkPositionals } from "../arguments.ts";
import type { Command, CommandContext } from "../command.ts";
import { exitCodes, UsageError } from "../errors.ts";

/** Lists, checks and downloads data sets; turns texts into token files. */
export const command: Command = {
  name: "data",
  summary: "lists, checks and downloads data sets, and turns texts into token files",
  usage: "data list | data check <set> | data get <set> | data tokenise <text> <out.bin>",
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
    {
      name: "level",
      type: "string",
      placeholder: "gpt2|wordpiece|words|characters",
      doc: "tokenise: what a symbol is; default gpt2",
    },
    {
      name: "vocabulary",
      type: "string",
      placeholder: "<folder>",
      doc: "tokenise: the level's vocabulary, or its one file; default the set gpt2-bpe or bert-uncased",
    },
  ],
  examples: [
    "logrung data list",
    "logrung data get fashion-mnist",
    "logrung data check cifar-10 --data-dir=/data/cifar-10",
    "logrung data tokenise corpus.txt train.bin",
    "logrung data tokenise corpus.txt train.bin --level wordpiece --vocabulary path/to/vocab.txt",
  ],
  run(context) {
    const [action = "list"] = context.positionals;
    const found = actions.get(action);
    if (found === undefined) {
      const hint = suggestion(action, [...actions.keys()]);
      throw new UsageError(`data does not know "${action}" ${hint}; usage: logrung ${command.usage}`);
    }
    const words = 1 + found.words;
    checkPositionals(command, context.positionals, found.words === 0 ? 0 : words, words);
    for (const [option, of] of Object.entries(optionsOf))
      if (context.values[option] !== undefined && action !== of)
        throw new UsageError(`"--${option}" is for data ${of}`);
    return found.run(context);
  },
};

/** Options that one action alone has. */
const optionsOf = { from: "get", level: "tokenise", vocabulary: "tokenise" } as const;

interface Action {
  /** Words that follow the action's name. */
  readonly words: number;
  run(context: CommandContext): Promise<number | void>;
}

const actions = new Map<string, Action>([
  ["list", { words: 0, run: list }],
  ["check", { words: 1, run: check }],
  ["get", { words: 1, run: get }],
  ["tokenise", { words: 2, run: tokenise }],
]);

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
async function check(context: CommandContext): Promise<number> {
  const [, name] = context.positionals;
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

async function get(context: CommandContext): Promise<void> {
  const { findDataset, dataFolder, folderOf } = await import("../../src/data/data-folder.ts");
  const { getDataset } = await import("../../src/data/get-dataset.ts");
  const { downloadReporter } = await import("../data-report.ts");
  const { values, env, cwd, signal, json, stdout, stderr, positionals } = context;
  const [, name] = positionals;
  const dataset = findDataset(name);
  const folder = folderOf(dataset, dataFolder({ dataDir: textValue(values["data-dir"]), env, cwd }));
  const from = textValue(values.from);
  stderr.write(`${name}: ${dataset.summary}\nlicence: ${dataset.licence}\n`);
  await getDataset(dataset, { folder, from, signal, onEvent: downloadReporter(stderr) });
  stdout.write(json ? `${JSON.stringify({ name, folder })}\n` : `${folder}\n`);
}

/** Symbols as unsigned 16-bit numbers. */
async function tokenise(context: CommandContext): Promise<void> {
  const [, input, output] = context.positionals;
  const { tokeniseFile } = await import("../../src/data/tokenise-file.ts");
  const path = resolve(context.cwd, output);
  const symbols = await tokeniseFile(resolve(context.cwd, input), path, await tokenizerOf(context));
  const { stdout, json } = context;
  stdout.write(json ? `${JSON.stringify({ path, symbols })}\n` : `${path}: ${symbols} symbols\n`);
}

/** @throws UsageError for a level that is none or that comes without a vocabulary, and what reading one throws. */
async function tokenizerOf(context: CommandContext): Promise<Tokenizer> {
  const { level: given = "gpt2", vocabulary } = context.values;
  if (typeof vocabulary === "string") {
    const { textLevels } = await import("../language-data.ts");
    const { tokenizerIn } = await import("../vocabulary.ts");
    const level = textLevels.find((name) => name === given);
    if (level !== undefined) return tokenizerIn(resolve(context.cwd, vocabulary), level);
    throw new UsageError(`--level is "${String(given)}" ${suggestion(String(given), textLevels)}`);
  }
  const { publishedVocabularies } = await import("../vocabulary.ts");
  const published = Object.entries(publishedVocabularies).find(([level]) => level === given)?.[1];
  if (published === undefined)
    throw new UsageError(`--level ${String(given)} wants its vocabulary: --vocabulary <folder>`);
  return published.load((await opened(context, published.name)).folder);
}
