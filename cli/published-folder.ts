/** Folders with a model as Hugging Face publishes it, and runs made of them. */
import { existsSync } from "node:fs";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { writeFileAtomic } from "../src/io/atomic-file.ts";
import { FileError } from "../src/io/file-error.ts";
import { readBytes } from "../src/io/read-file.ts";
import { decodeSafetensors, encodeSafetensors } from "../src/io/safetensors.ts";
import { type HuggingFaceCheckpoint, HuggingFaceError } from "../src/models/huggingface.ts";
import { dequantise } from "../src/ops/quantise.ts";
import { readTensor } from "../src/tensor/tensor.ts";
import { readEnvironment } from "../src/train/environment.ts";
import { isJsonObject, type JsonObject } from "../src/train/json.ts";
import { createRunFolder } from "../src/train/run-folder.ts";
import { keepTokenizer } from "../src/train/run-tokenizer.ts";
import { UsageError } from "./errors.ts";
import { checkpointOf } from "./run-checkpoint.ts";
import type { Session } from "./session.ts";
import { packageVersion } from "./version.ts";

const modelFile = "model.safetensors";

/** What PyTorch's own pickles are called, and a model in several files. */
const otherFiles = ["pytorch_model.bin", `${modelFile}.index.json`];

/** Whether a folder holds a model as Hugging Face publishes it, in whichever files. */
export const isHuggingFace = (folder: string): boolean =>
  [modelFile, ...otherFiles].some((name) => existsSync(join(folder, name)));

/** @throws HuggingFaceError, SafetensorsError, FileError for what cannot be read. */
export async function readPublished(folder: string): Promise<HuggingFaceCheckpoint> {
  const path = join(folder, modelFile);
  if (!existsSync(path)) {
    const found = otherFiles.find((name) => existsSync(join(folder, name)));
    if (found !== undefined)
      throw new HuggingFaceError(`"${folder}" holds a ${found}; one ${modelFile} is read: save it so`);
  }
  const config = await readJson(join(folder, "config.json"));
  return { config, tensors: decodeSafetensors(await readBytes(path), path).tensors };
}

/** @throws HuggingFaceError for a file that is no JSON object, FileError. */
export async function readJson(path: string): Promise<JsonObject> {
  const text = await readFile(path, "utf8").catch((cause: unknown) => {
    throw new FileError("read", path, cause);
  });
  try {
    const value: unknown = JSON.parse(text);
    if (isJsonObject(value)) return value;
  } catch (cause) {
    throw new HuggingFaceError(`"${path}" is not JSON: ${(cause as Error).message}`);
  }
  throw new HuggingFaceError(`"${path}" is not a JSON object`);
}

/** What a conversion made. */
export interface Converted {
  readonly folder: string;
  readonly parameters: number;
}

/**
 * Makes a run folder of a session before its first step, and closes the session.
 *
 * @param files  that the run keeps beside its model.
 */
export async function makeRun(
  session: Session,
  to: string,
  files: Readonly<Record<string, string>>,
): Promise<Converted> {
  try {
    const { threads, trainer, config } = session;
    const environment = await readEnvironment({ logrung: packageVersion(), threads, seed: config.seed });
    const run = await createRunFolder({ recipe: config.recipe, config, environment, path: to });
    try {
      await keepTokenizer(run.path, files);
      const checkpoint = await checkpointOf(session, { step: 0, seconds: 0, corpus: "" });
      await run.saveCheckpoint(0, checkpoint, config.checkpoint.keep);
    } finally {
      await run.close();
    }
    return { folder: run.path, parameters: trainer.parameterCount };
  } finally {
    await session.close();
  }
}

/** @throws UsageError for a folder that holds a model already. */
export function expectNoModel(folder: string): void {
  if (isHuggingFace(folder)) throw new UsageError(`"${folder}" already holds a ${modelFile}`);
}

/** Writes a checkpoint and the files beside it, the model last. */
export async function writePublished(
  folder: string,
  { config, tensors }: HuggingFaceCheckpoint,
  files: Readonly<Record<string, string>>,
): Promise<void> {
  await mkdir(folder, { recursive: true }).catch((cause: unknown) => {
    throw new FileError("write", folder, cause);
  });
  for (const [file, text] of Object.entries(files)) await writeFileAtomic(join(folder, file), text);
  await writeFileAtomic(join(folder, "config.json"), `${JSON.stringify(config, null, 2)}\n`);
  const parts = encodeSafetensors(Object.fromEntries(tensors), { format: "pt" }, modelFile);
  await writeFileAtomic(join(folder, modelFile), parts);
}

/** Every weight as the numbers it stands for. */
export async function floatWeights({ device, trainer }: Session): Promise<Map<string, Float32Array>> {
  const weights = new Map<string, Float32Array>();
  for (const { name, tensor } of trainer.model.parameters) {
    const values = await device.step(() => device.tape.without(() => readTensor(dequantise(tensor))));
    weights.set(name, Float32Array.from(values));
  }
  return weights;
}
