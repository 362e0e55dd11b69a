/** Every optimiser of the registry solves small problems, on every backend. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Backend } from "../../../src/kernels/backend.ts";
import type { Optimizer } from "../../../src/optim/optimizer.ts";
import { optimizers } from "../../../src/optim/optimizers.generated.ts";
import { backends, prepare } from "./backends.ts";
import { problems, type Problem } from "./problems.ts";
import { settings } from "./settings.ts";

const STEPS = 400;

async function solve(backend: Backend, optimizer: Optimizer, problem: Problem): Promise<number> {
  const tensors = problem.shapes.map((shape, i) => ({ shape, values: problem.start[i] }));
  const bench = await prepare(backend, { optimizer, options: settings[optimizer.name] ?? {}, tensors });
  for (let t = 1; t <= STEPS; t++)
    await bench.step(problem.gradient(await bench.values()), t, 1 - (t - 1) / STEPS);
  return problem.loss(await bench.values());
}

describe.each(backends)("on $name", ({ open }) => {
  let backend: Backend;
  beforeAll(async () => {
    backend = await open();
  });
  afterAll(() => backend.close());

  describe.each(Object.entries(optimizers as Record<string, Optimizer>))("%s", (_, optimizer) => {
    it.each(problems.map((problem) => [problem.name, problem] as const))(
      "solves: %s",
      async (_name, problem) => {
        const loss = await solve(backend, optimizer, problem);
        expect(loss).toBeLessThan(problem.reach * problem.loss(problem.start));
      },
    );
  });
});
