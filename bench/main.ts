/** `npm run bench`: figures of this machine, with the targets they were designed for. */
import { describeMachine, machineLines } from "./machine.ts";
import { BenchUsageError, parseOptions, type BenchOptions } from "./options.ts";
import { watchOthers } from "./others.ts";
import { comparePeers, formatComparison, type Comparison } from "./peers/compare.ts";
import { CAUTION, formatRows, othersLine } from "./report.ts";
import { saveRecord, type BenchRecord } from "./results.ts";
import type { Row } from "./suite.ts";
import { suites } from "./suites/suites.ts";

const note = (text: string): void => void process.stderr.write(`bench: ${text}\n`);

function usage(): string {
  const width = Math.max(...suites.map(({ name }) => name.length));
  return [
    "usage: npm run bench -- [options]",
    "  --quick       fewer samples: for a look, not for a record",
    "  --only=NAME   one suite, or several: --only=gemm,gpt",
    "  --threads=N   threads, the caller's included; default 2, which the targets are for",
    "  --peers       the same work in jax-js, and in PyTorch where Python has it, beside ours",
    "  --json        one object on stdout",
    "  --save        keeps the record in bench/results/",
    "",
    "suites:",
    ...suites.map(
      ({ name, summary, byDefault }) =>
        `  ${name.padEnd(width)}  ${summary}${byDefault ? "" : " (only by name)"}`,
    ),
    "",
  ].join("\n");
}

async function runSuites({ only, threads, quick }: BenchOptions): Promise<Row[]> {
  const chosen = suites.filter(({ name, byDefault }) => (only.length > 0 ? only.includes(name) : byDefault));
  const rows: Row[] = [];
  for (const suite of chosen) {
    note(`${suite.name}: ${suite.summary}`);
    rows.push(...(await suite.run({ threads, quick })));
  }
  return rows;
}

async function main(args: readonly string[]): Promise<void> {
  const options = parseOptions(args, suites.map(({ name }) => name)); // prettier-ignore
  if (options.help) return void process.stdout.write(usage());
  const machine = await describeMachine(options.threads);
  if (!options.json) process.stdout.write(`${machineLines(machine).join("\n")}\n\n`);
  const { quick, threads, only, peers } = options;
  const othersSince = watchOthers();
  let rows: readonly (Row | Comparison)[];
  let text: string;
  if (peers) {
    const comparisons = await comparePeers({ threads, quick, only }, note);
    [rows, text] = [comparisons, formatComparison(comparisons)];
  } else {
    const figures = await runSuites(options);
    [rows, text] = [figures, formatRows(figures)];
  }
  const others = othersSince();
  const record: BenchRecord = { machine, options: { quick, threads, only, peers }, others, rows };
  process.stdout.write(
    options.json ? `${JSON.stringify(record)}\n` : `${text}\n\n${CAUTION}\n${othersLine(others)}`,
  );
  if (options.save) note(`saved ${await saveRecord(record)}`);
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof BenchUsageError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 2;
}
