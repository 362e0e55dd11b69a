/** Rows of memory: of a process that does nothing but one task. */
import type { Row, Target } from "../suite.ts";
import { runTask, type TaskCommand } from "../task-process.ts";

/**
 * Peak memory of a task, of the process and of the backend's buffers alone: the latter reach theirs in the first step,
 * garbage some steps later.
 *
 * @param what    stands at the end of the rows' names.
 * @param target  of the process.
 */
export async function memoryRows(
  task: string,
  what: string,
  command: TaskCommand,
  target?: Target,
): Promise<Row[]> {
  const [{ peakBytes, bufferBytes, steps }] = await runTask(command);
  const note = `own process, ${steps} steps`;
  const row = { name: `${task} peak memory, ${what}`, value: peakBytes / 1e6, unit: "MB", note };
  const rows: Row[] = [target ? { ...row, target } : row];
  if (bufferBytes !== undefined)
    rows.push({ name: `${task} peak of buffers, ${what}`, value: bufferBytes / 1e6, unit: "MB", note });
  return rows;
}
