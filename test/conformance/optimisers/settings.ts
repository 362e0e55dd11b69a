/** What the suite runs every optimiser of the registry with. */
import type { Options } from "../../../src/optim/options.ts";

/** Options under which each solves small problems in a few hundred steps; a new optimiser adds its line. */
export const settings: Readonly<Record<string, Options>> = {
  adam: { lr: 0.05 },
  adamw: { lr: 0.05, weightDecay: 0 },
  fromage: { lr: 0.05 },
  "integer-madam": { lr: 0.04, init: "weights", beta: 0.9 },
  // Half a step's size in each of the parts; no prior that would hold weights below the answer.
  lmd: { lr: 0.03, regulariser: "none", beta2: 0.9, deviation: 0.05 },
  lion: { lr: 0.03 },
  "lns-madam": { lr: 0.05, beta: 0.9 },
  madam: { lr: 0.04, beta: 0.9 },
  rung: { lr: 0.05 },
  sgd: { lr: 0.02 },
  signsgd: { lr: 0.03, momentum: 0.5 },
};

/** Rules under which a weight keeps its sign. */
export const signKeeping = ["madam", "integer-madam", "lns-madam"];
