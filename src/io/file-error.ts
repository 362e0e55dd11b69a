/** What the system says when a file cannot be read or written, in words that say what to do. */

/** A file could not be read or written. `code` is the system's (`ENOSPC`, `EACCES`, …). */
export class FileError extends Error {
  override readonly name = "FileError";
  readonly action: "read" | "write";
  readonly path: string;
  readonly code: string;

  constructor(action: "read" | "write", path: string, cause: unknown) {
    const code = systemCode(cause);
    super(`logrung: cannot ${action} "${path}": ${explain(code, action, cause)}`, { cause });
    this.action = action;
    this.path = path;
    this.code = code;
  }
}

/** The system's error code, or "" where the error is not the system's. */
export function systemCode(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === "string" ? code : "";
}

function explain(code: string, action: "read" | "write", cause: unknown): string {
  const elsewhere = action === "write" ? "; choose another folder" : "";
  switch (code) {
    case "ENOSPC":
    case "EDQUOT":
      return `the disk is full (${code}); free some space, then resume: what was saved before is whole`;
    case "EROFS":
      return `the file system is read-only (EROFS)${elsewhere}`;
    case "EACCES":
    case "EPERM":
      return `permission denied (${code})${elsewhere}`;
    case "ENOENT":
      return "no such file or folder (ENOENT)";
    case "ENOTDIR":
      return `a part of the path is a file, not a folder (ENOTDIR)${elsewhere}`;
    case "EISDIR":
      return "it is a folder, not a file (EISDIR)";
    case "EMFILE":
    case "ENFILE":
      return `too many open files (${code}); raise the limit with ulimit -n`;
    default:
      return cause instanceof Error ? cause.message : String(cause);
  }
}
