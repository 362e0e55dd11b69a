/** What a configuration asks for that would have no effect, or not the one meant. */
import { ConfigError } from "./config-error.ts";
import { checkLadder } from "./ladders.ts";
import type { TrainConfig } from "./resolve.ts";
import type { ParsedConfig } from "./schema.ts";

/**
 * Checks a new run; runs that an older version began go on.
 *
 * @param asked  before names and defaults were resolved.
 * @throws ConfigError
 */
export function checkEffects(asked: ParsedConfig, { optimizer, precision, groups }: TrainConfig): void {
  const faults = [...plateauFaults(asked), ...averageFaults(asked)];
  if (faults.length > 0) throw new ConfigError(faults);
  checkLadder("optimizer", asked.optimizer, optimizer, precision);
  for (const [i, { optimizer: given }] of asked.groups.entries()) {
    const group = groups[i];
    checkLadder(`groups.${i}.optimizer`, given, group.optimizer, group.precision ?? precision);
  }
}

function plateauFaults({ task, schedule, evaluate }: ParsedConfig): string[] {
  if (schedule.name !== "plateau") return [];
  if (task === "gan")
    return [
      '"schedule.name" is "plateau", but a GAN has no loss that falls as it gets better: wants another',
    ];
  if (evaluate.every > 0) return [];
  return ['"schedule.name" is "plateau", which goes by validations: wants "evaluate.every" above 0'];
}

function averageFaults({ average: { decay, format } }: ParsedConfig): string[] {
  if (decay > 0 || format === "fp32") return [];
  return [`"average.format" is "${format}", but no average is kept: wants "average.decay" above 0`];
}
