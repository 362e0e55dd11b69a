/** How the program ends: exit codes and what is said. */

/** The command line asks for something that does not exist or cannot be. */
export class UsageError extends Error {
  override readonly name = "UsageError";

  constructor(message: string) {
    super(`logrung: ${message}`);
  }
}

export const exitCodes = { success: 0, failed: 1, wrongUse: 2, interrupted: 130 } as const;

/** Errors whose cause is what the user gave: an option, a file, a text, a checkpoint. By name, to load none. */
const wrongUse = new Set([
  "UsageError",
  "ConfigError",
  "OptionError",
  "PolicyError",
  "UnknownFormatError",
  "DataError",
  "IdxError",
  "CifarError",
  "TarError",
  "ZipError",
  "TokenFileError",
  "TokenizerError",
  "HuggingFaceError",
  "CheckpointError",
  "SnapshotError",
  "BlockFormatError",
  "NpyError",
  "QuantizeError",
  "SafetensorsError",
  "PytorchFileError",
  "PickleError",
  "InceptionError",
  "RunFolderError",
  "MetricsError",
]);

/** 2 for wrong use and for files that cannot be read, else 1. */
export function exitCodeOf(error: unknown): number {
  if (!(error instanceof Error)) return exitCodes.failed;
  if (wrongUse.has(error.name)) return exitCodes.wrongUse;
  const unreadable = error.name === "FileError" && "action" in error && error.action === "read";
  return unreadable ? exitCodes.wrongUse : exitCodes.failed;
}

/** The message of an error that was foreseen; the stack of any other, for a bug report. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return `logrung: ${String(error)}`;
  if (error.message.startsWith("logrung:")) return error.message;
  return `logrung: unexpected ${error.stack ?? error.message}`;
}
