/** The floors of the house: a file imports only from floors below it and from its own folder. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, posix, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Folders by floor, lowest first; folders on one floor may not see each other. */
const floors: readonly (readonly string[])[] = [
  ["src/formats", "src/random", "src/io"],
  ["src/precision"],
  ["src/kernels"],
  ["src/tensor"],
  ["src/ops"],
  ["src/nn", "src/optim", "src/data"],
  ["src/models", "src/interop"],
  ["src/train"],
  ["src"],
  ["cli", "bench", "examples"],
];
const floorOf = (folder: string): number => floors.findIndex((floor) => floor.includes(folder));

function sources(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return sources(path);
    return entry.name.endsWith(".ts") ? [path.split(sep).join(posix.sep)] : [];
  });
}

/** `src/kernels/wasm/gemm.ts` lies in `src/kernels`; `src/index.ts` in `src`. */
function folderOf(file: string): string {
  const parts = file.split("/");
  if (parts[0] !== "src") return parts[0];
  return parts.length === 2 ? "src" : parts.slice(0, 2).join("/");
}

/** Relative imports of a file, static and dynamic, as paths from the root. */
function importsOf(file: string): string[] {
  const text = readFileSync(join(root, file), "utf8");
  const found = text.matchAll(/(?:from\s+|import\(\s*|^import\s+)"(\.[^"]+)"/gm);
  return [...found].map(([, path]) =>
    relative(root, join(root, dirname(file), path))
      .split(sep)
      .join(posix.sep),
  );
}

const files = ["src", "cli", "bench"].flatMap(sources);

describe("imports", () => {
  it("are found at all", () => {
    expect(files.length).toBeGreaterThan(50);
    expect(importsOf("src/tensor/device.ts")).toContain("src/kernels/backend.ts");
  });

  it("never run up a floor, nor across one", () => {
    const wrong = files
      .filter((file) => !file.endsWith(".test.ts"))
      .flatMap((file) => importsOf(file).map((to) => [file, to] as const))
      .filter(([file, to]) => folderOf(file) !== folderOf(to))
      .filter(([file, to]) => floorOf(folderOf(to)) >= floorOf(folderOf(file)))
      .map(([file, to]) => `${file} imports ${to}`);
    expect(wrong).toEqual([]);
  });

  it("know every folder", () => {
    expect(files.map(folderOf).filter((folder) => floorOf(folder) < 0)).toEqual([]);
  });

  it("do not run around a circle", () => {
    const state = new Map<string, "open" | "done">();
    const circles: string[] = [];
    const visit = (file: string, path: readonly string[]): void => {
      if (state.get(file) === "done" || !file.endsWith(".ts")) return;
      if (state.get(file) === "open") {
        circles.push([...path.slice(path.indexOf(file)), file].join(" -> "));
        return;
      }
      state.set(file, "open");
      for (const to of valueImportsOf(file)) visit(to, [...path, file]);
      state.set(file, "done");
    };
    for (const file of files) visit(file, []);
    expect(circles).toEqual([]);
  });

  it("reach no package from the library, and no Node module from what a browser loads", () => {
    const packages = files
      .filter((file) => file.startsWith("src/") && !file.endsWith(".test.ts"))
      .flatMap((file) => {
        const text = readFileSync(join(root, file), "utf8");
        return [...text.matchAll(/^import\s[^;]*?from\s+"([^."][^"]*)"/gm)]
          .filter(([line]) => !(file.startsWith("src/interop/") && line.startsWith("import type")))
          .map(([, name]) => `${file}: ${name}`);
      });
    const nodeOnly = /^src\/(io|train|data)\//;
    expect(packages.filter((line) => !line.includes(": node:"))).toEqual([]);
    expect(packages.filter((line) => !nodeOnly.test(line))).toEqual([]);
  });
});

describe("libraries that optimisers work in", () => {
  const names = /"(@tensorflow\/|@jax-js\/)/;
  const mentions = files
    .filter((file) => !file.endsWith(".test.ts"))
    .flatMap((file) => {
      const lines = readFileSync(join(root, file), "utf8").split("\n");
      return lines
        .filter((line) => names.test(line) && !line.startsWith(" *"))
        .map((line) => ({ file, line }));
    });

  it("are imported for their types only, and that by src/interop alone", () => {
    const found = mentions.filter(({ file }) => !file.startsWith("bench/"));
    expect(found.length).toBeGreaterThan(1);
    expect(found.filter(({ line }) => !/^import type \* as \w+ from /.test(line))).toEqual([]);
    expect(found.filter(({ file }) => !file.startsWith("src/interop/"))).toEqual([]);
  });

  it("are not reached from the package's entry", () => {
    const seen = new Set<string>();
    const visit = (file: string): void => {
      if (seen.has(file)) return;
      seen.add(file);
      importsOf(file).forEach(visit);
    };
    visit("src/index.ts");
    expect([...seen].filter((file) => file.startsWith("src/interop/"))).toEqual([]);
  });
});

/** Imports that exist at run time: types vanish, and a circle of types is none. */
function valueImportsOf(file: string): string[] {
  const text = readFileSync(join(root, file), "utf8");
  const found = text.matchAll(/^(?:import|export)\s+(?!type\b)[^;]*?from\s+"(\.[^"]+)"/gm);
  return [...found].map(([, path]) =>
    relative(root, join(root, dirname(file), path))
      .split(sep)
      .join(posix.sep),
  );
}
