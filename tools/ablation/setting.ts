/** A setting of an ablation: an optimiser, its options, and what is changed around it, read from one word. */
import { setKey } from "../../cli/config/merge.ts";
import { suggestion } from "../../src/formats/nearest-name.ts";
import { optimizers } from "../../src/optim/optimizers.generated.ts";
import type { Optimizer } from "../../src/optim/optimizer.ts";
import type { Options } from "../../src/optim/options.ts";
import { parsePolicy } from "../../src/precision/parse-policy.ts";
import type { Policy } from "../../src/precision/policy.ts";
import type { Json, JsonObject } from "../../src/train/json.ts";
import { variants } from "./variants.ts";

/** What a trainer wants of rules and formats. */
export interface Setting {
  readonly optimizer: Optimizer;
  readonly options: Options;
  readonly exemptOptimizer: Optimizer;
  readonly exemptOptions: Options;
  readonly exemptEmbeddings: boolean;
  readonly policy: Policy;
  /** Draws of the weights a step. */
  readonly samples: number;
}

const rules: Readonly<Record<string, Optimizer>> = { ...optimizers, ...variants };

/** What trains biases and norms, and exempt embeddings. */
const exemptDefaults: Options = { lr: 0.003, beta2: 0.99, weightDecay: 0 };

/**
 * `<optimiser>[:<key>=<value>,…]`: options of the optimiser, and beside them, as on the command line,
 *
 * - `precision`, a preset's name, and `precision.<role>` what differs from it, `precision.moment.second=null` too;
 * - `embeddings`: `own`, the default, or `exempt`;
 * - `exempt.<option>` of the AdamW that trains what is exempt: lr 0.003, beta2 0.99, weightDecay 0;
 * - `samples` a step.
 *
 * @throws RangeError for an unknown optimiser or kind of embeddings; what policies and options throw.
 */
export function parseSetting(text: string): Setting {
  const [, name, list = ""] = /^([^:]*):?(.*)$/.exec(text) ?? [];
  const rule = rules[name];
  if (!rule)
    throw new RangeError(`logrung: unknown optimiser "${name}" ${suggestion(name, Object.keys(rules))}`);
  const { precision = "fp32", exempt = {}, embeddings = "own", samples = 1, ...options } = parsePairs(list);
  if (embeddings !== "own" && embeddings !== "exempt")
    throw new RangeError(`logrung: embeddings is "${String(embeddings)}", wants own or exempt`);
  return {
    optimizer: rule,
    options: options as Options,
    exemptOptimizer: optimizers.adamw,
    exemptOptions: { ...exemptDefaults, ...(exempt as Options) },
    exemptEmbeddings: embeddings === "exempt",
    policy: parsePolicy(precision),
    samples: Number(samples),
  };
}

/** `a=1,b.c=x` as { a: 1, b: { c: "x" } }: values are JSON where they can be. Commas within braces are a value's own. */
function parsePairs(list: string): JsonObject {
  let found: JsonObject = {};
  for (const [, key, value] of list.matchAll(/([^=,]+)=((?:\{[^}]*\}|[^,])*)/g))
    found = setKey(found, key, valueOf(value));
  return found;
}

function valueOf(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return text; // a bare word
  }
}
