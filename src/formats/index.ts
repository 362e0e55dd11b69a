/** The public surface of the number formats. */
export * from "./format.ts";
