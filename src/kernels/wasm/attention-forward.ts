/** Attention forward: tiles of scores become exponentials, and these weighted sums of values. */
import type { Callee, Module } from "./assembler.ts";
import { Body } from "./attention-arguments.ts";
import { defineFinish, defineSoftmax, defineStart, STATE_BYTES } from "./attention-rows.ts";
import { SCORE_ROW, TileWriter, type Bounds, type Parts } from "./attention-tile.ts";
import { words } from "./gemm-arguments.ts";
import type { Writing } from "./matrix-body.ts";

/**
 * Defines `forward(arguments, memory, batch, firstRow, endRow, firstKey, endKey)`:
 *
 *   for each block of keys: pack K and V
 *     for each tile of queries that sees some: S = Q Kᵀ; softmax takes S in; Y += P V
 *       after the last key it sees: Y / sum, lse
 *
 * Y itself holds the sums, its rows are scaled down when a later block has a larger score. What a row adds up, and in
 * which order, depends on its number and the sizes alone.
 */
export function defineForward(module: Module, writing: Writing, parts: Parts): Callee {
  const { dropout } = parts.kernel;
  const softmax = defineSoftmax(module, writing, dropout);
  const finish = defineFinish(module, writing);
  const start = defineStart(module);
  return module.function(words(7), [], null, (code, base, memory, ...range) => {
    const [batch, firstRow, endRow, firstKey, endKey] = range;
    const bounds: Bounds = { batch, firstRow, endRow, firstKey, endKey };
    const body = new Body(code, base);
    const tile = new TileWriter(body, memory, parts);
    const local = (name: string) => body.local(name);
    body.load(["queries", "keys", "width", "offset", "tileRows", "keyBlock"]);
    body.locate(batch, ["q", "k", "v", "y"]);
    const [row, rows, columns, key] = ["row", "rows", "columns", "key"].map(local);
    const width = body.value("width");
    const state = () => {
      body.place(memory, "atState").get(row).get(firstRow).op("i32.sub").i32(STATE_BYTES);
      code.op("i32.mul").op("i32.add");
    };
    const packKeys = () => {
      tile.packRight("k", key, local("block keys"), true, "atKeys");
      tile.packRight("v", key, local("block keys"), false, "atValues");
    };
    const scores = tile.scores("atScores");
    const never = () => void code.i32(0);
    body.place(memory, "atState").get(endRow).get(firstRow).op("i32.sub").call(start);
    tile.walk(bounds, packKeys, () => {
      tile.multiply({
        rows, columns, depth: width, left: tile.left("q", row, rows), right: tile.panels("atKeys", width),
        ...scores, accumulate: never,
      });
      body.context();
      scores.to();
      code.i32(SCORE_ROW * 4);
      body.row("y", row).get(body.value("yRow"));
      state();
      code.get(rows).get(columns).get(local("visible")).get(width).get(key).i32(0).op("i32.ne");
      code.get(local("element")).get(body.value("keys")).call(softmax);
      tile.multiply({
        rows, columns: width, depth: columns, left: tile.scoresAsLeft("atScores", false),
        right: tile.panels("atValues", local("block keys")), to: () => body.row("y", row),
        toRow: () => code.get(body.value("yRow")),
        accumulate: () => void code.get(key),
      });
      // The tile's last row sees nothing after this block.
      code.get(row).get(rows).op("i32.add").get(body.value("offset")).op("i32.add").set(local("seen"));
      code.get(key).get(local("block keys")).op("i32.add").tee(local("next"));
      code.get(local("seen")).op("i32.ge_s");
      code.get(local("next")).get(endKey).op("i32.ge_s").op("i32.or");
      code.if(() => {
        body.context();
        body.row("y", row).get(body.value("yRow")).get(local("lse"));
        code.get(row).i32(2).op("i32.shl").op("i32.add");
        state();
        code.get(rows).get(width).call(finish);
      });
    });
  });
} // prettier-ignore
