/** What `logrung data` says about files and downloads. */
import type { DatasetReport } from "../src/data/check-dataset.ts";
import type { Dataset } from "../src/data/dataset.ts";
import type { GetEvent } from "../src/data/get-dataset.ts";
import type { TextOutput } from "./command.ts";
import { formatBytes, formatTable } from "./table.ts";

const stateWords = {
  official: "official, by checksum",
  unpinned: "right size; no checksum is known for it",
  differs: "not the official file",
  unreadable: "unreadable",
  missing: "missing",
} as const;

/** Files and parts of a checked set, for a terminal. */
export function dataReport(dataset: Dataset, { folder, files, parts }: DatasetReport): string {
  const fileRows = files.map(({ name, bytes, state }) => [
    name,
    bytes === null ? "" : String(bytes),
    stateWords[state],
  ]);
  const classes = dataset.kind === "images" ? dataset.classes : [];
  const partLines = parts.flatMap(({ part, counts, classes: perClass, fault }) => {
    const numbers = Object.entries(counts).map(([what, count]) => `${count} ${what}`);
    const line = `${part}: ${numbers.join(", ") || (fault ?? "")}`;
    return perClass === null ? [line] : [line, ...classLines(classes, perClass)];
  });
  return `${folder}\n${formatTable(["file", ">bytes", "state"], fileRows)}${partLines.map((line) => `${line}\n`).join("")}`;
}

/** `6000 each`, or the count of every class. */
function classLines(classes: readonly string[], counts: readonly number[]): string[] {
  if (counts.every((count) => count === counts[0]))
    return [`  each of ${classes.length} classes ${counts[0]}`];
  return classes.map((name, label) => `  ${name} ${counts[label]}`);
}

/** Tells of a download: on a terminal in one line that changes, elsewhere a line where something begins or ends. */
export function downloadReporter(output: TextOutput): (event: GetEvent) => void {
  const live = output.isTTY === true;
  let shown = 0;
  const clear = (): void => void (live && shown > 0 && output.write("\r\u001b[K"));
  return (event) => {
    if (event.kind === "progress") {
      const { done, total } = event;
      const finished = done === total;
      if (!live || (done - shown < 1_000_000 && !finished)) return;
      shown = done;
      const share = total === null ? "" : ` of ${formatBytes(total)}, ${Math.floor((100 * done) / total)} %`;
      output.write(`\r\u001b[K  ${formatBytes(done)}${share}`);
      return;
    }
    clear();
    shown = 0;
    output.write(`${eventLine(event)}\n`);
  };
}

function eventLine(event: Exclude<GetEvent, { kind: "progress" }>): string {
  switch (event.kind) {
    case "present":
      return `  already there: ${event.files.join(", ")}`;
    case "start":
      return `  ${event.url}`;
    case "retry":
      return `  ${event.error.message.replace("logrung: ", "")}; trying ${new URL(event.url).host}`;
    case "unpack":
      return `  unpacking ${event.path}`;
    case "done": {
      const resumed = event.resumedFrom > 0 ? ` (went on from byte ${event.resumedFrom})` : "";
      return `  got ${event.files.join(", ")}${resumed}`;
    }
  }
}
