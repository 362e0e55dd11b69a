/** Batches of images made ahead of the step, by threads of their own. Node only. */
import { Worker } from "node:worker_threads";
import type { BatchPlan, ImageSource } from "./batch-maker.ts";
import type { ImageBatch } from "./image-batches.ts";
import type { ImageSet } from "./image-set.ts";

/** What a worker starts with. */
export interface WorkerOrder {
  readonly source: ImageSource;
  readonly plan: BatchPlan;
}

/** What a worker answers to the number of a step. */
export interface WorkerAnswer {
  readonly step: number;
  readonly batch?: ImageBatch;
  readonly failure?: {
    readonly name: string;
    readonly message: string;
    readonly facts: Readonly<Record<string, unknown>>;
  };
}

export interface AheadOptions {
  /** Threads, which make whole batches each. Default 1; decoding many files takes more than that. */
  readonly workers?: number;
  /** Batches that are made before they are asked for. Default one for each thread in the making, and one waiting. */
  readonly ahead?: number;
  /** The run's last step: nothing is made for steps after it. Default none. */
  readonly lastStep?: number;
}

/** Batches in the order of steps, or in any other at the price of waiting. */
export interface BatchesAhead {
  /**
   * The batch of a step: the same, bit for bit, as made in this thread.
   *
   * @throws what making it threw, by name and message; Error when the worker ended or `close` was called.
   */
  batch(step: number): Promise<ImageBatch>;
  /** Ends the threads. Batches still asked for are refused. */
  close(): Promise<void>;
}

interface Pending {
  /** Callers that wait for it. */
  waiting: number;
  readonly promise: Promise<ImageBatch>;
  resolve(batch: ImageBatch): void;
  reject(error: Error): void;
}

/**
 * Starts threads that make batches ahead. They keep the process alive only while someone waits for a batch.
 *
 * Images in memory that are not shared yet are copied into shared memory once; `shareImages` does so before, where the first copy can
 * then be let go.
 */
export function imageBatchesAhead(source: ImageSource, plan: BatchPlan, options: AheadOptions = {}): BatchesAhead {
  const { workers: threads = 1, ahead = threads + 1, lastStep = Number.POSITIVE_INFINITY } = options;
  const workerData = { source: sharedSource(source), plan } satisfies WorkerOrder;
  // Compiled, this file and the worker's end in .js.
  const url = new URL(import.meta.url.endsWith(".ts") ? "./image-worker.ts" : "./image-worker.js", import.meta.url);
  const workers = Array.from({ length: threads }, () => new Worker(url, { workerData, execArgv: [], name: "logrung images" }));
  const pending = new Map<number, Pending>();
  let ended: Error | undefined;
  let waiting = 0;

  const end = (error: Error): void => {
    ended ??= error;
    for (const { reject } of pending.values()) reject(ended);
  };
  for (const worker of workers) {
    worker.on("error", (error) => end(error));
    worker.on("exit", () => end(new Error("logrung: a thread that makes batches of images ended")));
    worker.on("message", ({ step, batch, failure }: WorkerAnswer) => {
      const asked = pending.get(step);
      if (batch) asked?.resolve(batch);
      else if (failure) asked?.reject(Object.assign(new Error(failure.message), failure.facts, { name: failure.name }));
    });
    worker.unref(); // after `on`, which holds the process
  }

  const order = (step: number): Pending => {
    const found = pending.get(step);
    if (found) return found;
    const made = deferred();
    pending.set(step, made);
    if (ended) made.reject(ended);
    else workers[step % threads].postMessage(step);
    return made;
  };

  return {
    async batch(step) {
      for (const [other, made] of pending)
        if (made.waiting === 0 && (other < step || other > step + ahead)) pending.delete(other);
      const asked = order(step);
      asked.waiting++;
      for (let next = step + 1; next <= Math.min(step + ahead, lastStep); next++) order(next);
      if (waiting++ === 0) for (const worker of workers) worker.ref();
      try {
        return await asked.promise;
      } finally {
        if (--asked.waiting === 0) pending.delete(step);
        if (--waiting === 0) for (const worker of workers) worker.unref();
      }
    },
    async close() {
      end(new Error("logrung: batches of images were closed"));
      await Promise.all(workers.map((worker) => worker.terminate()));
    },
  };
} // prettier-ignore

function deferred(): Pending {
  let resolve: (batch: ImageBatch) => void = () => undefined;
  let reject: (error: Error) => void = () => undefined;
  const promise = new Promise<ImageBatch>((done, failed) => {
    resolve = done;
    reject = failed;
  });
  // A batch made ahead may fail before anyone asks for it; who asks is told.
  promise.catch(() => undefined);
  return { waiting: 0, promise, resolve, reject };
}

/** The set with its images and labels in memory that threads share; itself where they are already. */
export function shareImages(set: ImageSet): ImageSet {
  if (set.images.buffer instanceof SharedArrayBuffer && set.labels.buffer instanceof SharedArrayBuffer)
    return set;
  return { ...set, images: shared(set.images), labels: shared(set.labels) };
}

function shared(bytes: Uint8Array): Uint8Array {
  const copy = new Uint8Array(new SharedArrayBuffer(bytes.length));
  copy.set(bytes);
  return copy;
}

const sharedSource = (source: ImageSource): ImageSource =>
  source.kind === "set" ? { ...source, set: shareImages(source.set) } : source;
