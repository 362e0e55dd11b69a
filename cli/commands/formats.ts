/** `logrung formats`: the number formats there are, and what they look like. */
import { resolve } from "node:path";
import { checkPositionals } from "../arguments.ts";
import type { Command, CommandContext } from "../command.ts";
import { UsageError } from "../errors.ts";
import type { FoundFormat } from "../formats/look-up.ts";

/** Without a name: the table of all. With one: its ladder, and a page that shows it beside others. */
export const command: Command = {
  name: "formats",
  summary: "shows the number formats: ranges, errors, values",
  usage: "formats [<name>] [--output <page.html>]",
  options: [
    {
      name: "output",
      type: "string",
      placeholder: "<page.html>",
      doc: "writes a page with the format's values beside those of others",
    },
  ],
  examples: [
    "logrung formats",
    "logrung formats lns8-g8",
    "logrung formats fp8-e4m3 --output fp8-e4m3.html",
    "logrung formats int4 --json",
  ],
  async run(context) {
    const { positionals, values, json, stdout } = context;
    checkPositionals(command, positionals, 0, 1);
    const [name] = positionals;
    if (name !== undefined) return showFormat(name, context);
    if (values.output !== undefined)
      throw new UsageError("--output wants a format: logrung formats <name> --output …");
    const { formatList, listJson } = await import("../formats/listing.ts");
    stdout.write(json ? `${listJson()}\n` : formatList());
  },
};

async function showFormat(
  name: string,
  { values, json, cwd, stdout, stderr }: CommandContext,
): Promise<void> {
  const { elementOf, lookUpFormat } = await import("../formats/look-up.ts");
  const found = lookUpFormat(name);
  if (typeof values.output === "string") {
    const page = resolve(cwd, values.output);
    await writePage(page, found);
    stderr.write(`formats: ${page}\n`);
  }
  if (json) {
    const { formatJson } = await import("../formats/json.ts");
    stdout.write(`${formatJson(found)}\n`);
    return;
  }
  const { formatHeading } = await import("../formats/listing.ts");
  const { drawLadder } = await import("../formats/drawing.ts");
  const { ladderOf } = await import("../formats/ladder.ts");
  const columns = Math.max(40, Math.min(120, stdout.columns ?? 80));
  stdout.write(`${formatHeading(found)}\n${drawLadder(ladderOf(elementOf(found)), columns)}`);
}

async function writePage(path: string, found: FoundFormat): Promise<void> {
  const { writeFileAtomic } = await import("../../src/io/atomic-file.ts");
  const { companionsOf, elementOf } = await import("../formats/look-up.ts");
  const { formatPicture } = await import("../formats/picture.ts");
  const element = elementOf(found);
  await writeFileAtomic(path, formatPicture(found, companionsOf(element)));
}
