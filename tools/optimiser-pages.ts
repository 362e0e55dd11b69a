/**
 * Keeps the tables of options in docs/optim/<name>.md equal to the registry. `node tools/optimiser-pages.ts` writes the
 * tables; the rest of a page is written by hand.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { optimizers } from "../src/optim/optimizers.generated.ts";
import type { OptionSchema } from "../src/optim/options.ts";

const [begin, end] = ["<!-- options -->", "<!-- /options -->"];

/** The options of an optimiser as a table in Markdown. */
export function optionsTable(schema: OptionSchema): string {
  const rows = Object.entries(schema).map(([name, option]) => {
    const values = option.type === "choice" ? option.choices.join(", ") : range(option);
    return [`\`${name}\``, `${option.default}`, values, option.doc].map((cell) =>
      cell.replaceAll("|", "\\|"),
    );
  });
  const lines = [["option", "default", "values", ""], ["---", "---", "---", "---"], ...rows];
  return lines.map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

function range({ min, max, exclusive }: { min?: number; max?: number; exclusive?: boolean }): string {
  const low = min === undefined ? "" : `${exclusive ? ">" : "≥"} ${min}`;
  return [low, max === undefined ? "" : `≤ ${max}`].filter(Boolean).join(", ");
}

/** A page without what the formatter adds: aligned columns, escapes. */
export const plain = (text: string): string =>
  text.replaceAll("\\", "").replaceAll(/ +/g, " ").replaceAll(/-{3,}/g, "---");

export interface Page {
  readonly path: string;
  /** As it lies on disk; undefined when it is missing. */
  readonly text: string | undefined;
  /** With the table of the registry. */
  readonly wanted: string | undefined;
}

/** The page of every optimiser. */
export function optimiserPages(root: string): Page[] {
  return Object.values(optimizers).map(({ name, options }): Page => {
    const path = join(root, "docs/optim", `${name}.md`);
    if (!existsSync(path)) return { path, text: undefined, wanted: undefined };
    const text = readFileSync(path, "utf8");
    const [before, rest = ""] = text.split(begin);
    const [, after = ""] = rest.split(end);
    return { path, text, wanted: `${before}${begin}\n\n${optionsTable(options)}\n\n${end}${after}` };
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const { path, text, wanted } of optimiserPages(fileURLToPath(new URL("..", import.meta.url))))
    if (text !== undefined && wanted !== undefined && plain(wanted) !== plain(text))
      writeFileSync(path, wanted);
}
