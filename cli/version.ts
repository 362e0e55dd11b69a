/** The version of this package, from its `package.json`. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "../src/data/own-source.ts";

/** @example packageVersion() // "0.1.0" */
export function packageVersion(): string {
  const { version } = JSON.parse(readFileSync(join(packageRoot(), "package.json"), "utf8")) as {
    version: string;
  };
  return version;
}
