/** Inception-v3 from a file of the user's as the judge of images. */
import { readdir, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { decodePytorch, isPytorch } from "../src/io/pytorch-file.ts";
import { readBytes } from "../src/io/read-file.ts";
import { decodeSafetensors } from "../src/io/safetensors.ts";
import { sha256 } from "../src/io/sha256.ts";
import { InceptionV3 } from "../src/models/inception-v3.ts";
import { inceptionLabel, type InceptionWeights, readInceptionV3 } from "../src/models/inception-weights.ts";
import type { Device } from "../src/tensor/device.ts";
import { inceptionMoments } from "../src/train/inception-features.ts";
import { formatDuration } from "../src/train/progress.ts";
import { UsageError } from "./errors.ts";
import type { ImageJudge, JudgeContext } from "./image-judge.ts";

/** Checkpoints by the names that they are published under in a folder; others end as PyTorch's do. */
const usualNames = ["model.safetensors", "pytorch_model.bin"];
const isCheckpoint = (name: string): boolean => /\.(safetensors|pth|pt)$/.test(name);

/**
 * The file of a published checkpoint that a path names: the file itself, or the one in a folder.
 *
 * @returns null where there is none, as in a run.
 * @throws UsageError for a folder with several.
 */
export async function inceptionFile(path: string): Promise<string | null> {
  const found = await stat(path).catch(() => null);
  if (found === null) return null;
  if (!found.isDirectory()) return path;
  const names = await readdir(path);
  const usual = usualNames.find((name) => names.includes(name));
  if (usual !== undefined) return join(path, usual);
  const all = names.filter(isCheckpoint).toSorted();
  if (all.length > 1) throw new UsageError(`--features: "${path}" has several checkpoints, name one: ${all.join(", ")}`);
  return all.length === 1 ? join(path, all[0]) : null;
} // prettier-ignore

/** @throws InceptionError for another network; SafetensorsError, PytorchFileError, PickleError, ZipError, FileError. */
export async function inceptionJudge(
  file: string,
  device: Device,
  { stderr, signal }: JudgeContext,
): Promise<ImageJudge> {
  const bytes = await readBytes(file);
  const weights = inceptionIn(bytes, file);
  if (weights.hadAuxiliary)
    stderr.write(`logrung: AuxLogits in ${basename(file)} is left out: it was of use in training alone\n`);
  const label = inceptionLabel(weights.config, await sha256([bytes]));
  const model = new InceptionV3(device, weights);
  return {
    description: { ...label, features: file },
    async moments(set, what) {
      const progress = progressOf(stderr, what, set.labels.length);
      const { mean, covariance } = await inceptionMoments(device, model, set, { progress, signal });
      return { mean, covariance };
    },
    close: async () => model.free(),
  };
}

function inceptionIn(bytes: Uint8Array, file: string): InceptionWeights {
  const tensors = isPytorch(bytes) ? decodePytorch(bytes, file) : decodeSafetensors(bytes, file).tensors;
  return readInceptionV3(tensors);
}

/** Milliseconds between two lines of progress. */
const interval = 10_000;

function progressOf(stderr: JudgeContext["stderr"], what: string, total: number): (done: number) => void {
  const started = performance.now();
  let told = started;
  return (done) => {
    const now = performance.now();
    if (now - told < interval && done < total) return;
    told = now;
    const seconds = (now - started) / 1000;
    const rest = done < total ? `${formatDuration((seconds * (total - done)) / done)} left` : formatDuration(seconds);
    stderr.write(`features of ${what}: ${done}/${total} · ${rest}\n`);
  };
} // prettier-ignore
