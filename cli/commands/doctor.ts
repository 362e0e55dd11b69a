/** `logrung doctor`: what this machine offers, and what was chosen from it. */
import { checkPositionals } from "../arguments.ts";
import type { Command } from "../command.ts";

export const command: Command = {
  name: "doctor",
  summary: "say what this machine and engine offer, and what a newer Node would give",
  usage: "doctor",
  options: [],
  examples: ["logrung doctor", "logrung doctor --json"],
  async run({ positionals, json, stdout }) {
    checkPositionals(command, positionals, 0, 0);
    const { createWasmBackend, describeEngine } = await import("../../src/kernels/wasm/index.ts");
    const backend = await createWasmBackend();
    try {
      const lines = describeEngine(backend.info).map(([what, how]) => `${what.padEnd(16)} ${how}\n`);
      stdout.write(json ? `${JSON.stringify(backend.info)}\n` : lines.join(""));
    } finally {
      await backend.close();
    }
  },
};
