// One task in TensorFlow.js on WebAssembly, in a process of its own, in the scratch folder that has it.
//   node main.mjs <address of the compiled protocol.ts> <gemm|gpt|mlp|convnet|adam> <threads> <milliseconds>
// One thread whatever is asked for: under Node it refuses to start its workers (ERR_WORKER_PATH).
const [protocolAddress, task, , milliseconds] = process.argv.slice(2);
const tf = await import("@tensorflow/tfjs");
await import("@tensorflow/tfjs-backend-wasm");
await tf.setBackend("wasm");
await tf.ready();
const protocol = await import(protocolAddress);
const { tasks } = await import("./tasks.mjs");
await tasks[task](tf, protocol, Number(milliseconds));
process.exit(0);
