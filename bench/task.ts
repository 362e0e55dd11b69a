/**
 * Our side of a comparison, in a process of its own: so its peak memory is that of the task alone. The engine is set as
 * the `logrung` program sets it.
 *
 *   node dist/bench/task.js <gemm|gemm-mx|gpt|gpt-mxfp6|start|mlp|convnet|adam> <threads> <milliseconds> [recipe]
 */
import { keepYoungSpaceSmall } from "../src/io/process-memory.ts";

keepYoungSpaceSmall();
await import("./tasks.ts");
