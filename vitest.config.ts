import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

export default defineConfig({
  // Examples import the package by its name, as users do.
  resolve: {
    alias: {
      "logrung/tfjs": fileURLToPath(new URL("src/interop/tfjs.ts", import.meta.url)),
      "logrung/jax": fileURLToPath(new URL("src/interop/jax.ts", import.meta.url)),
      logrung: fileURLToPath(new URL("src/index.ts", import.meta.url)),
    },
  },
  test: {
    include: ["src/**/*.test.ts", "cli/**/*.test.ts", "bench/**/*.test.ts", "test/**/*.test.ts"],
    pool: "forks",
    maxWorkers: 2,
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
