/** The `rows` shape: per row, stages of store and reduce, then the outputs of the row. */
import type { Call, MatrixSizes } from "../backend.ts";
import type { RowsKernel, Stage } from "../rows.ts";
import type { Precision } from "./arithmetic.ts";
import { Binding, Writer, type Runner } from "./binding.ts";
import { moveTo } from "./matrix.ts";
import { Reductions } from "./reductions.ts";

/** Stages see the reductions and stored outputs of the stages before them, never their own. */
export function prepareRows(kernel: RowsKernel, precision: Precision): Runner {
  const binding = new Binding(kernel, precision);
  const stages = kernel.stages.map((stage) => new StageRunner(binding, kernel.name, stage));
  const perRow = new Writer(binding, kernel.name, kernel.perRow);
  return (call) => {
    const sizes = call.sizes as MatrixSizes;
    binding.bind(call);
    perRow.bind(call);
    for (const stage of stages) stage.bind(call);
    for (let r = 0; r < sizes.rows * (sizes.outer ?? 1); r++) {
      for (const stage of stages) stage.run(sizes, r);
      moveTo(binding.frame, sizes, r, 0);
      perRow.write(r);
    }
  };
}

class StageRunner {
  private readonly binding: Binding;
  private readonly reductions: Reductions;
  private readonly writer: Writer;

  constructor(binding: Binding, kernel: string, stage: Stage) {
    this.binding = binding;
    this.writer = new Writer(binding, kernel, stage.store ?? {});
    this.reductions = new Reductions(binding, kernel, stage.reduce ?? {});
    binding.declareStored(stage.store ?? {});
  }

  bind(call: Call): void {
    this.writer.bind(call);
  }

  run(sizes: MatrixSizes, row: number): void {
    this.reductions.start();
    for (let c = 0; c < sizes.columns; c++) {
      moveTo(this.binding.frame, sizes, row, c);
      this.reductions.evaluate();
      this.writer.write(this.binding.frame.element);
      this.reductions.take();
    }
    this.reductions.finish();
  }
}
