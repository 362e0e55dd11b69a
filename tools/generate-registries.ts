/**
 * Writes the index files of the registries: for every folder below, the modules that export the given name.
 * `node tools/generate-registries.ts` writes; with `--check` it changes nothing and fails when one is stale.
 */
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

interface Registry {
  readonly folder: string;
  /** What a member module exports. */
  readonly member: string;
  /** What the index exports, in camel case: members by file name. Its file is `<index>.generated.ts` in the folder. */
  readonly index: string;
}

export const registries: readonly Registry[] = [
  { folder: "src/formats", member: "family", index: "families" },
  { folder: "src/optim", member: "optimizer", index: "optimizers" },
  { folder: "src/models", member: "model", index: "models" },
  { folder: "src/models", member: "encoder", index: "encoders" },
  { folder: "src/data/sets", member: "dataset", index: "datasets" },
  { folder: "src/models", member: "presets", index: "image-families" },
  { folder: "cli/commands", member: "command", index: "commands" },
  { folder: "cli/recipes", member: "recipe", index: "recipes" },
];

/** The name of a member inside the index; `eval` is no name that a module may give. */
const localName = (name: string): string =>
  name === "eval" ? "evaluate" : name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());

function membersOf({ folder, member }: Registry, root: string): string[] {
  const directory = join(root, folder);
  if (!existsSync(directory)) return [];
  const declaration = new RegExp(`^export (const|function) ${member}\\b`, "m");
  return readdirSync(directory)
    .filter((file) => /^[\w-]+\.ts$/.test(file))
    .filter((file) => declaration.test(readFileSync(join(directory, file), "utf8")))
    .map((file) => file.slice(0, -".ts".length))
    .toSorted();
}

/** The index file's text, or undefined when no module is a member. */
function indexText(registry: Registry, root: string): string | undefined {
  const { member, index } = registry;
  const names = membersOf(registry, root);
  if (names.length === 0) return undefined;
  const imports = names.map((name) => `import { ${member} as ${localName(name)} } from "./${name}.ts";`);
  const entries = names.map((name) =>
    name === localName(name) ? `  ${name},` : `  "${name}": ${localName(name)},`,
  );
  return [
    "// Written by tools/generate-registries.ts; do not edit.",
    ...imports,
    "",
    `/** Every module of this folder that exports \`${member}\`, by file name. */`,
    `export const ${localName(index)} = {`,
    ...entries,
    "} as const;",
    "",
  ].join("\n");
}

/** The index files that are not as they should be, and the text they should have (undefined: no such file). */
export function staleRegistries(root: string): { path: string; text: string | undefined }[] {
  return registries
    .map((registry) => ({
      path: join(root, registry.folder, `${registry.index}.generated.ts`),
      text: indexText(registry, root),
    }))
    .filter(({ path, text }) => text !== (existsSync(path) ? readFileSync(path, "utf8") : undefined));
}

function main(check: boolean): void {
  const stale = staleRegistries(fileURLToPath(new URL("..", import.meta.url)));
  for (const { path, text } of stale) {
    if (check) console.error(`logrung: ${path} is stale: run node tools/generate-registries.ts`);
    else if (text === undefined) rmSync(path);
    else writeFileSync(path, text);
  }
  if (check && stale.length > 0) process.exitCode = 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main(process.argv.includes("--check"));
