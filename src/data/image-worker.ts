/** The thread that makes batches ahead of the step; see `batches-ahead.ts`. Node only. */
import { parentPort, workerData } from "node:worker_threads";
import { batchMaker } from "./batch-maker.ts";
import type { WorkerAnswer, WorkerOrder } from "./batches-ahead.ts";

const { source, plan } = workerData as WorkerOrder;
const port = parentPort;
if (port === null) throw new Error("logrung: image-worker.ts runs as a worker thread only");
const made = batchMaker(source, plan);

/** Buffers of a batch go over without being copied. */
port.on("message", async (step: number) => {
  try {
    const batch = await (await made)(step);
    const buffers = [batch.pixels.buffer, batch.labels.buffer, ...(batch.mixture ? [batch.mixture.labels.buffer] : [])];
    port.postMessage({ step, batch } satisfies WorkerAnswer, buffers as ArrayBuffer[]);
  } catch (error) {
    port.postMessage({ step, failure: failureOf(error) } satisfies WorkerAnswer);
  }
}); // prettier-ignore

/** An error's parts: a copied error would lose its name, by which the program tells wrong use from a bug. */
function failureOf(error: unknown): NonNullable<WorkerAnswer["failure"]> {
  if (!(error instanceof Error)) return { name: "Error", message: String(error), facts: {} };
  const facts = Object.entries(error).filter(([, value]) => ["string", "number"].includes(typeof value));
  return { name: error.name, message: error.message, facts: Object.fromEntries(facts) };
}
