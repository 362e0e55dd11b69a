/** The public surface of the number formats. */
export * from "./format.ts";
export { integerFormat } from "./integer.ts";
export { tableFormat, type TableOptions } from "./table.ts";
export { rungsOf, type Rungs } from "./rungs.ts";
