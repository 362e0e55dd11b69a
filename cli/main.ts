#!/usr/bin/env node
/** The `logrung` program: the process around `run.ts`. */
import { commands } from "./commands/commands.generated.ts";
import { exitCodes } from "./errors.ts";
import { runProgram } from "./run.ts";
import { packageVersion } from "./version.ts";

const interruption = new AbortController();

/** The first signal asks the command to save and leave, the second leaves. */
function interrupt(): void {
  if (interruption.signal.aborted) process.exit(exitCodes.interrupted);
  process.stderr.write("\nlogrung: stopping, Ctrl-C again to leave at once\n");
  interruption.abort();
}

process.on("SIGINT", interrupt);
process.on("SIGTERM", interrupt);
// A reader that closes the pipe (`| head`) has what it wanted.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(exitCodes.success);
  throw error;
});

process.exitCode = await runProgram(process.argv.slice(2), Object.values(commands), {
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  cwd: process.cwd(),
  signal: interruption.signal,
  version: packageVersion(),
});
