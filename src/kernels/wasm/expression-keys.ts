/** Names by which equal nodes are recognised. */
import type { Node, ValueType } from "../program.ts";
import { bitsOf } from "./constants.ts";

/** Two nodes whose operands are the same objects have the same key exactly when they compute the same. */
export class Keys {
  private readonly ids = new Map<object, number>();

  of(type: ValueType, node: Node): string {
    return `${type} ${this.nodeKey(node)}`;
  }

  private nodeKey(node: Node): string {
    const id = (x: object) => this.id(x);
    switch (node.kind) {
      case "constant":
        return `constant ${bitsOf(node.value)} ${node.value}`;
      case "uniform":
      case "input":
      case "stored":
      case "reduced":
        return `${node.kind} ${node.name}`;
      case "product":
        return "product";
      case "index":
        return `index ${node.axis}`;
      case "lookup":
        return `lookup ${typeof node.table === "string" ? node.table : id(node.table)} ${id(node.at)}`;
      case "unary":
        return `${node.op} ${id(node.x)}`;
      case "binary":
        return `${node.op} ${id(node.a)} ${id(node.b)}`;
      case "shift":
        return `${node.op} ${id(node.x)} by ${node.by}`;
      case "fma":
        return `fma ${id(node.a)} ${id(node.b)} ${id(node.c)}`;
      case "select":
        return `select ${id(node.condition)} ${id(node.yes)} ${id(node.no)}`;
    }
  }

  private id(thing: object): number {
    const known = this.ids.get(thing);
    if (known !== undefined) return known;
    this.ids.set(thing, this.ids.size);
    return this.ids.size - 1;
  }
}
