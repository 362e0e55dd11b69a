/** What the leaves of a kernel's expressions are, and where they change. */
import { ProgramError, storageBytes, type Node, type StorageType, type Value } from "../program.ts";
import type { Access, Input, Inputs } from "../signature.ts";

/** In which directions of a [rows, columns] view a value changes: a set of bits. */
export type Dependence = number;
export const ROW = 1;
export const COLUMN = 2;

/** A kernel's declarations, and how its expressions are to be read. */
export interface Leaves {
  readonly inputs: Inputs;
  /** Element outputs that are read back. */
  readonly stored: Readonly<Record<string, StorageType>>;
  /** What a finished reduction is read as. Default: a value of its own, the same along a row. */
  readonly reductionOf?: (name: string) => Value;
  /**
   * Reads a matrix of one column and one outer block as a flat array: what changes from row to row changes from element to element, a
   * `gathered` input is looked up, and columns have the number 0. Default false.
   */
  readonly singleColumn?: boolean;
  /** Avoids the instructions that V8 does not widen to 256 bits. Default false. */
  readonly wide?: boolean;
}

const ACCESS: Readonly<Record<Access, Dependence>> = {
  element: ROW | COLUMN,
  gathered: ROW | COLUMN,
  row: ROW,
  column: COLUMN,
  block: ROW | COLUMN,
  scalar: 0,
  table: 0,
};

function declared({ inputs }: Leaves, name: string): Input {
  const found = inputs[name];
  if (!found) throw new ProgramError(`the kernel has no input "${name}"`);
  return found;
}

/** Access of an input. @throws ProgramError for a name the kernel lacks. */
export const accessOf = (leaves: Leaves, name: string): Access => declared(leaves, name).access;

/** Storage of an input, a stored value or a table. @throws ProgramError for a name the kernel lacks. */
export function storageOf(leaves: Leaves, node: Node): StorageType {
  if (node.kind === "lookup" && typeof node.table !== "string") return node.table.storage;
  if (node.kind === "lookup") return declared(leaves, node.table as string).storage;
  if (node.kind === "input") return declared(leaves, node.name).storage;
  const storage = node.kind === "stored" ? leaves.stored[node.name] : undefined;
  if (!storage) throw new ProgramError(`${node.kind} value is not stored by an earlier stage`);
  return storage;
}

/** Where a node changes by itself, whatever its operands do. */
export function dependenceOf(leaves: Leaves, node: Node): Dependence {
  switch (node.kind) {
    case "input": {
      const access = accessOf(leaves, node.name);
      const own = ACCESS[access];
      if (!leaves.singleColumn) return own;
      return own & ROW && access !== "block" ? ROW | COLUMN : 0;
    }
    case "stored":
    case "product":
      return ROW | COLUMN;
    case "reduced":
      return ROW;
    case "index":
      return node.axis === "row" ? ROW : node.axis === "column" ? COLUMN : ROW | COLUMN;
    default:
      return 0;
  }
}

/** The largest raw bits, read as unsigned, that a leaf or an entry of a table can have. */
export function boundOf(leaves: Leaves, { node }: Value): number {
  const storage = storageOf(leaves, node);
  const unsigned = storage !== "i8" && storage !== "i32";
  return unsigned ? 2 ** (8 * storageBytes[storage]) - 1 : 2 ** 32 - 1;
}
