/** What the package promises to those who import it by its subpaths. */
import { existsSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";

const root = new URL("../../", import.meta.url);
const described = JSON.parse(readFileSync(new URL("package.json", root), "utf8"));

it("every subpath has its source, types beside the code", () => {
  expect(Object.keys(described.exports)).toEqual([".", "./tfjs", "./jax"]);
  for (const { types, default: code } of Object.values<Record<string, string>>(described.exports)) {
    expect(types).toBe(code.replace(/\.js$/, ".d.ts"));
    const source = code.replace(/^\.\/dist\//, "").replace(/\.js$/, ".ts");
    expect(existsSync(new URL(source, root)), source).toBe(true);
  }
});

it("asks for the other libraries as optional peers, and depends on neither", () => {
  const peers = ["@jax-js/jax", "@tensorflow/tfjs"];
  expect(Object.keys(described.peerDependencies)).toEqual(peers);
  expect(peers.map((name) => described.peerDependenciesMeta[name])).toEqual([
    { optional: true },
    { optional: true },
  ]);
  expect(peers.filter((name) => name in described.dependencies)).toEqual([]);
});
