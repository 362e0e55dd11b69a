import { CONTROL } from "./control.ts";

/** A kernel's module and its place in every thread's table. */
export interface PlacedModule {
  readonly slot: number;
  readonly module: WebAssembly.Module;
}

/** The first message to a worker. */
export interface StartMessage {
  readonly thread: number;
  readonly memory: WebAssembly.Memory;
  readonly control: WebAssembly.Module;
}

/**
 * What a worker runs, for Node and browsers alike; a string, so that no file has to be found at run time.
 *
 * It answers {@link StartMessage} with "ready" and enters the wasm loop. Asked to leave, it returns to its
 * event loop, where a list of {@link PlacedModule} is waiting: it puts each `run` into its table, reports as
 * done, and enters again. A trap is told through shared memory: the caller is blocked and could not hear a
 * message.
 */
export const workerSource = `"use strict";
const node = typeof require === "function" ? require("node:worker_threads") : null;
const port = node ? node.parentPort : self;
let memory, words, table, loop, thread, seen = 0;
function finish() {
  Atomics.add(words, ${CONTROL.done / 4}, 1);
  Atomics.notify(words, ${CONTROL.done / 4});
}
function enter() {
  try {
    seen = loop(thread, seen);
  } catch {
    Atomics.store(words, ${CONTROL.failed / 4}, thread);
    finish();
  }
}
function start(message) {
  ({ memory, thread } = message);
  words = new Int32Array(memory.buffer, 0, 256);
  table = new WebAssembly.Table({ initial: 64, element: "anyfunc" });
  loop = new WebAssembly.Instance(message.control, { env: { memory, table } }).exports.loop;
  port.postMessage("ready");
}
function install(modules) {
  for (const { slot, module } of modules) {
    while (slot >= table.length) table.grow(table.length);
    table.set(slot, new WebAssembly.Instance(module, { env: { memory } }).exports.run);
  }
  finish();
}
function receive(message) {
  if (message.control) start(message);
  else install(message);
  enter();
}
if (node) port.on("message", receive);
else self.onmessage = (event) => receive(event.data);
`;
