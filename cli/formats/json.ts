/** Formats for machines. */
import type { BlockFormat } from "../../src/formats/block-format.ts";
import type { ScalarFormat } from "../../src/formats/format.ts";
import { isListed } from "./ladder.ts";
import type { FoundFormat } from "./look-up.ts";

/**
 * `{ name, bits, info, values }`: the value of every code in order of code, at scale 1. NaN and Inf are the strings
 * "NaN", "Infinity" and "-Infinity"; minus zero is the number -0.0, which readers of JSON keep. `values` is null for
 * formats of more than 16 bits. Of a block format, `values` are its elements' and `info` says besides which format the
 * element is, the block size, the scale's format and rule, and whether the tensor has a scale too.
 */
export function formatJson(found: FoundFormat): string {
  if (found.kind === "scalar") return object(found.format, found.format.info, found.format);
  return object(
    found.format,
    { ...found.format.element.info, ...blockInfo(found.format) },
    found.format.element,
  );
}

/** What a block format says of itself besides its name and bits. */
export function blockInfo({ element, block, scale, scaleRule, tensorScale }: BlockFormat) {
  return {
    element: element.name,
    block,
    scale: scale.name,
    scaleRule: tensorScale ? null : scaleRule,
    tensorScale,
  };
}

function object({ name, bits }: { name: string; bits: number }, info: object, element: ScalarFormat): string {
  const head = JSON.stringify({ name, bits, info }).slice(0, -1);
  return `${head},"values":${isListed(element) ? valuesJson(element) : "null"}}`;
}

function valuesJson({ bits, decode }: ScalarFormat): string {
  return `[${Array.from({ length: 2 ** bits }, (_, code) => valueJson(decode(code))).join(",")}]`;
}

function valueJson(value: number): string {
  if (Object.is(value, -0)) return "-0.0";
  return Number.isFinite(value) ? String(value) : `"${value}"`;
}
