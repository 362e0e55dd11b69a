import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { staleRegistries } from "../../tools/generate-registries.ts";

it("index files list every module of their folders (else: node tools/generate-registries.ts)", () => {
  const stale = staleRegistries(fileURLToPath(new URL("../..", import.meta.url)));
  expect(stale.map(({ path }) => path)).toEqual([]);
});

it("finds members by what they export, and an index that has lost its last member", () => {
  const root = mkdtempSync(join(tmpdir(), "registries-"));
  try {
    const folder = join(root, "src/optim");
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "lns-madam.ts"), "export const optimizer = 1;\n");
    writeFileSync(join(folder, "lns-madam.test.ts"), "export const optimizer = 1;\n");
    writeFileSync(join(folder, "schedule.ts"), "export const optimizers = 1;\n");
    const [{ path, text }] = staleRegistries(root);
    expect(path).toBe(join(folder, "optimizers.generated.ts"));
    expect(text).toContain('import { optimizer as lnsMadam } from "./lns-madam.ts";');
    expect(text).toContain('  "lns-madam": lnsMadam,\n} as const;');
    expect(text).not.toContain("schedule");
    writeFileSync(path, text ?? "");
    expect(staleRegistries(root)).toEqual([]);
    rmSync(join(folder, "lns-madam.ts"));
    expect(staleRegistries(root)).toEqual([{ path, text: undefined }]);
    expect(readFileSync(path, "utf8")).toBe(text);
  } finally {
    rmSync(root, { recursive: true });
  }
});
