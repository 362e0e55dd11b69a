/** The process around `run.ts`: signals, streams and the exit code. */
import { commands } from "./commands/commands.generated.ts";
import { exitCodes } from "./errors.ts";
import { runProgram } from "./run.ts";
import { packageVersion } from "./version.ts";

const interruption = new AbortController();
/** One Ctrl-C may come twice: from the terminal, and once more from npm, which passes it on. */
const echoMilliseconds = 500;
let interruptedAt = Number.NEGATIVE_INFINITY;
let readerLeft = false;

/** The first signal asks the command to save and leave, the second leaves. */
function interrupt(): void {
  const now = performance.now();
  if (!interruption.signal.aborted) {
    interruptedAt = now;
    process.stderr.write("\nlogrung: stopping, Ctrl-C again to leave at once\n");
    interruption.abort();
  } else if (now - interruptedAt > echoMilliseconds) process.exit(exitCodes.interrupted);
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, interrupt);
// A reader that closes the pipe (`| head`) has what it wanted: the command ends, in order, and all is well.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  readerLeft = true;
  interruption.abort();
});
// Where nobody can read the progress any more (a closed terminal), a run goes on without telling it.
process.stderr.on("error", () => {});

const code = await runProgram(process.argv.slice(2), Object.values(commands), {
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  cwd: process.cwd(),
  signal: interruption.signal,
  version: packageVersion(),
});
process.exitCode = readerLeft && code === exitCodes.interrupted ? exitCodes.success : code;
