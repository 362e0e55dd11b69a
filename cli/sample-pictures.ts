/** Pictures of samples in a run's folder: `samples/step-<n>.png`. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { FileError, systemCode } from "../src/io/file-error.ts";
import { readBytes } from "../src/io/read-file.ts";

/** A picture as it lies in the folder. */
export interface SamplePicture {
  readonly step: number;
  readonly png: Uint8Array;
}

const fileName = /^step-(\d+)\.png$/;

/** Where the picture of a step stands. */
export const sampleFile = (run: string, step: number): string => join(run, "samples", `step-${step}.png`);

/**
 * Pictures of a run up to a step, oldest first: the last one and at most `most` - 1 evenly spaced before it. None where
 * there is no folder.
 *
 * @throws FileError when one cannot be read.
 */
export async function samplePictures(run: string, lastStep: number, most = 6): Promise<SamplePicture[]> {
  const folder = join(run, "samples");
  const names = await readdir(folder).catch((cause: unknown) => {
    if (systemCode(cause) === "ENOENT") return [];
    throw new FileError("read", folder, cause);
  });
  const steps = names
    .flatMap((name) => fileName.exec(name)?.[1] ?? [])
    .map(Number)
    .filter((step) => step <= lastStep)
    .toSorted((a, b) => a - b);
  const stride = Math.ceil(steps.length / most);
  const chosen = steps.filter((_, i) => (steps.length - 1 - i) % stride === 0);
  return Promise.all(chosen.map(async (step) => ({ step, png: await readBytes(sampleFile(run, step)) })));
}
