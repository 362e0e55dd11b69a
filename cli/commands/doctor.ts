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
      const blockKernels = backend.blockKernels();
      const described = describeEngine(backend.info, blockKernels);
      const width = Math.max(...described.map(([what]) => what.length));
      const lines = described.map(([what, how]) => `${what.padEnd(width)} ${how}\n`);
      stdout.write(json ? `${JSON.stringify({ ...backend.info, blockKernels })}\n` : lines.join(""));
    } finally {
      await backend.close();
    }
  },
};
