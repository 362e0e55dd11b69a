/** Attention backward: probabilities computed again, tile by tile, and the gradients from them. */
import type { Callee, Module } from "./assembler.ts";
import { Body } from "./attention-arguments.ts";
import { defineDeltas, defineGradient, defineZeroRows } from "./attention-rows.ts";
import { SCORE_ROW, TileWriter, type Bounds, type Parts } from "./attention-tile.ts";
import { words } from "./gemm-arguments.ts";
import type { Writing } from "./matrix-body.ts";

/**
 * Defines `backward(arguments, memory, batch, firstRow, endRow, firstKey, endKey, ofQueries, ofKeys)`:
 *
 *   for each block of keys: pack K and V; dK = dV = 0
 *     for each tile of queries that sees some: P from S = Q Kᵀ and lse; dS from dP = dY Vᵀ
 *       dV += Pᵀ dY;  dK += dSᵀ Q;  dQ += dS K
 *
 * dQ is written for the rows given if `ofQueries`, dK and dV for the keys given if `ofKeys`: where both are asked for,
 * of all rows and keys, five products a tile give all three. Each adds up its tiles in ascending order either way.
 */
export function defineBackward(module: Module, writing: Writing, parts: Parts): Callee {
  const { dropout } = parts.kernel;
  const deltas = defineDeltas(module, writing);
  const gradient = defineGradient(module, writing, dropout);
  const zero = defineZeroRows(module);
  return module.function(words(9), [], null, (code, base, memory, ...range) => {
    const [batch, firstRow, endRow, firstKey, endKey, ofQueries, ofKeys] = range;
    const bounds: Bounds = { batch, firstRow, endRow, firstKey, endKey };
    const body = new Body(code, base);
    const tile = new TileWriter(body, memory, parts);
    const local = (name: string) => body.local(name);
    body.load(["queries", "keys", "width", "offset", "tileRows", "keyBlock"]);
    body.locate(batch, ["q", "k", "v", "y", "dy", "dq", "dk", "dv"]);
    const [row, rows, columns, key] = ["row", "rows", "columns", "key"].map(local);
    const blockKeys = local("block keys");
    const width = body.value("width");
    const never = () => void code.i32(0);
    const always = () => void code.i32(1);
    const deltaOf = () => {
      body.place(memory, "atState").get(row).get(firstRow).op("i32.sub").i32(2).op("i32.shl").op("i32.add");
    };

    const block = () => {
      tile.packRight("k", key, blockKeys, true, "atKeys");
      tile.packRight("v", key, blockKeys, true, "atValues");
      code.get(ofQueries).if(() => tile.packRight("k", key, blockKeys, false, "atKeyRows"));
      code.get(ofKeys).if(() => {
        for (const name of ["dk", "dv"] as const)
          body.row(name, key).get(body.value(`${name}Row`)).get(blockKeys).get(width).call(zero);
      });
    };
    /** S = Q Kᵀ, dP = dY Vᵀ, and from them P and dS. */
    const scores = () => {
      const common = { rows, columns, depth: width, accumulate: never };
      const [k, v] = [tile.panels("atKeys", width), tile.panels("atValues", width)];
      tile.multiply({ ...common, left: tile.left("q", row, rows), right: k, ...tile.scores("atScores") });
      tile.multiply({ ...common, left: tile.left("dy", row, rows), right: v, ...tile.scores("atGradients") });
      body.context();
      body.place(memory, "atScores");
      body.place(memory, "atGradients").i32(SCORE_ROW * 4).get(local("lse"));
      code.get(row).i32(2).op("i32.shl").op("i32.add");
      deltaOf();
      code.get(rows).get(columns).get(local("visible"));
      code.get(local("element")).get(body.value("keys")).call(gradient);
    };
    /** A gradient of keys += the transposed tile times the same rows of a matrix of queries. */
    const toKeys = (to: "dk" | "dv", from: "atScores" | "atGradients", right: "q" | "dy") => {
      tile.multiply({
        rows: columns, columns: width, depth: rows, left: tile.scoresAsLeft(from, true),
        right: tile.right(right, row, rows, "atQueryRows"), to: () => body.row(to, key),
        toRow: () => code.get(body.value(`${to}Row`)),
        accumulate: always,
      });
    };

    body.context();
    body.row("y", firstRow).get(body.value("yRow"));
    body.row("dy", firstRow).get(body.value("dyRow"));
    body.place(memory, "atState").get(endRow).get(firstRow).op("i32.sub").get(width).call(deltas);
    tile.walk(bounds, block, () => {
      scores();
      code.get(ofKeys).if(() => {
        toKeys("dv", "atScores", "dy");
        toKeys("dk", "atGradients", "q");
      });
      code.get(ofQueries).if(() =>
        tile.multiply({
          rows, columns: width, depth: columns, left: tile.scoresAsLeft("atGradients", false),
          right: tile.panels("atKeyRows", blockKeys), to: () => body.row("dq", row),
          toRow: () => code.get(body.value("dqRow")), accumulate: () => void code.get(key),
        }),
      );
    });
  });
} // prettier-ignore
