/** One way to start a worker from source, on Node and in browsers. */

import { builtin } from "./host.ts";

/** A running worker, the few things that are needed of it. */
export interface Thread {
  post(message: unknown): void;
  /** True once it is known to have ended. */
  ended(): boolean;
  terminate(): Promise<void>;
}

/** Thrown when a worker thread cannot start, trapped or ended; the backend cannot be used any more. */
export class WorkerError extends Error {
  override name = "WorkerError";
}

type NodeThreads = typeof import("node:worker_threads");

/**
 * Starts a worker, sends it `first` and waits for its answer. On Node it does not keep the process alive.
 *
 * @throws WorkerError when it fails before it answers.
 */
export function startThread(source: string, first: unknown): Promise<Thread> {
  const node = builtin<NodeThreads>("node:worker_threads");
  return node ? startNodeThread(node, source, first) : startWebThread(source, first);
}

function startNodeThread(node: NodeThreads, source: string, first: unknown): Promise<Thread> {
  const worker = new node.Worker(source, { eval: true, execArgv: [], name: "logrung" });
  let ended = false;
  const thread: Thread = {
    post: (message) => worker.postMessage(message),
    // While the caller is blocked no event can tell of the end, but the idle time turns negative at once.
    ended: () => ended || worker.performance.eventLoopUtilization().idle < 0,
    terminate: async () => void (await worker.terminate()),
  };
  return new Promise((resolve, reject) => {
    worker.once("message", () => {
      worker.unref();
      resolve(thread);
    });
    worker.on("error", (error) =>
      reject(new WorkerError(`logrung: a worker thread failed: ${String(error)}`)),
    );
    worker.on("exit", () => {
      ended = true;
      reject(new WorkerError("logrung: a worker thread ended"));
    });
    worker.postMessage(first);
  });
}

function startWebThread(source: string, first: unknown): Promise<Thread> {
  const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  const worker = new Worker(url, { name: "logrung" });
  let ended = false;
  const thread: Thread = {
    post: (message) => worker.postMessage(message),
    ended: () => ended,
    terminate: async () => {
      ended = true;
      worker.terminate();
    },
  };
  return new Promise((resolve, reject) => {
    worker.onmessage = () => {
      URL.revokeObjectURL(url);
      resolve(thread);
    };
    worker.onerror = (event) => {
      ended = true;
      reject(new WorkerError(`logrung: a worker thread failed: ${event.message}`));
    };
    worker.postMessage(first);
  });
}
