import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { optimiserPages, plain } from "../../../tools/optimiser-pages.ts";

const pages = optimiserPages(fileURLToPath(new URL("../../..", import.meta.url)));

it.each(pages)(
  "$path has the options of the registry (else: node tools/optimiser-pages.ts)",
  ({ text, wanted }) => {
    expect(text).toBeDefined();
    expect(plain(text ?? "")).toBe(plain(wanted ?? ""));
  },
);
