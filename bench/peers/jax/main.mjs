// One task in jax-js, in a process of its own. Plain JavaScript: it runs in the scratch folder that has jax-js.
//   node main.mjs <address of the compiled protocol.ts> <gemm|gpt|mlp|convnet|adam> <threads> <milliseconds>
import { prepareHost } from "./host.mjs";

const [protocolAddress, task, threads, milliseconds] = process.argv.slice(2);
prepareHost(Number(threads));
const jax = await import("@jax-js/jax");
const protocol = await import(protocolAddress);
await jax.init("wasm");
jax.defaultDevice("wasm");
const { tasks } = await import("./tasks.mjs");
// Its workers do not keep the process alive.
const alive = setInterval(() => {}, 1000);
await tasks[task](jax, protocol, Number(milliseconds));
clearInterval(alive);
process.exit(0);
