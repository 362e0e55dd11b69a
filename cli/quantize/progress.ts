/** Keeping a long computation polite: Ctrl-C works, and now and then a line says how far it is. */
import { setImmediate } from "node:timers/promises";
import type { CommandContext } from "../command.ts";
import type { Pace } from "./apply.ts";

/** Milliseconds between two looks at the signal. */
const breath = 50;
/** Milliseconds before the first line of progress and between two of them. */
const interval = 2000;

/** Paces of one run of the command, one for each tensor and format. */
export class QuantizeProgress {
  readonly #context: Pick<CommandContext, "stderr" | "signal">;
  #looked = Number.NEGATIVE_INFINITY;
  #told = performance.now();

  constructor(context: Pick<CommandContext, "stderr" | "signal">) {
    this.#context = context;
  }

  /**
   * @param what      what is being done, for the line of progress.
   * @param elements  how many there are to do.
   * @returns a pace that throws the signal's reason once it is aborted.
   */
  of(what: string, elements: number): Pace {
    return (done) => {
      const now = performance.now();
      if (now - this.#looked < breath) return undefined;
      this.#looked = now;
      if (now - this.#told >= interval) {
        this.#told = now;
        this.#context.stderr.write(`quantize: ${what}, ${Math.floor((100 * done) / elements)} %\n`);
      }
      return setImmediate().then(() => this.#context.signal.throwIfAborted());
    };
  }
}
