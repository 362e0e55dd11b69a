// What jax-js expects of a browser and Node does not have: without a global Worker it runs on one thread.
import { resolveObjectURL } from "node:buffer";
import { Worker as NodeWorker } from "node:worker_threads";

// Browser workers talk through globals, Node's through a port.
const prelude = `
  const { parentPort } = require("node:worker_threads");
  globalThis.self = globalThis;
  globalThis.postMessage = (message) => parentPort.postMessage(message);
  parentPort.on("message", (data) => self.onmessage({ data }));
`;

/** A browser's Worker, of what jax-js uses of it: started from a blob's address, messages queued until then. */
class BlobWorker {
  #queue = [];
  #worker = null;

  constructor(address) {
    resolveObjectURL(String(address))
      .text()
      .then((source) => this.#start(source));
  }

  #start(source) {
    this.#worker = new NodeWorker(`${prelude}\n${source}`, { eval: true });
    this.#worker.on("message", (data) => this.onmessage?.({ data }));
    this.#worker.on("error", (error) => this.onerror?.({ message: String(error) }));
    this.#worker.unref();
    for (const message of this.#queue) this.#send(message);
  }

  #send(message) {
    // A worker has no target origin: that is a window's.
    // oxlint-disable-next-line unicorn/require-post-message-target-origin
    this.#worker.postMessage(message);
  }

  postMessage(message) {
    if (this.#worker) this.#send(message);
    else this.#queue.push(message);
  }
}

/** Gives jax-js so many processors, and workers to use them. */
export function prepareHost(threads) {
  const value = { hardwareConcurrency: threads, userAgent: "node" };
  Object.defineProperty(globalThis, "navigator", { value, configurable: true });
  if (threads > 1) globalThis.Worker = BlobWorker;
}
