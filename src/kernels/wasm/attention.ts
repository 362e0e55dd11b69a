/** The `attention` shape in WebAssembly. */
import type { AttentionKernel, AttentionSizes } from "../attention.ts";
import type { BufferSlice, Call } from "../backend.ts";
import { ArgumentLayout } from "./argument-layout.ts";
import { Module, type Callee, type Local } from "./assembler.ts";
import { ATTENTION_WORD, Body, NEXT_ITEM, UNIFORMS, type AttentionWord } from "./attention-arguments.ts";
import { defineBackward } from "./attention-backward.ts";
import { defineForward } from "./attention-forward.ts";
import { planAttention } from "./attention-plan.ts";
import { defineParts, TABLE_BYTES } from "./attention-tile.ts";
import { ConstantPool } from "./constants.ts";
import { pushMin } from "./gemm-arguments.ts";
import type { Variant } from "./gemm-micro.ts";
import { definePrescale } from "./gemm-run.ts";
import type { Arguments, Lowering } from "./lowering.ts"; // prettier-ignore

/**
 * Makes the lowering of attention for a micro-kernel: tiles of 48 queries against blocks of up to 256 keys, their
 * products by the functions of `gemm`, all in a thread's own workspace of some hundred kilobytes.
 *
 * Threads take whole batches, or, where there are few, parts of their queries and keys. Tiles, and the order in which
 * they are added up, follow from the sizes alone: results depend neither on threads nor on how batches are shared out.
 *
 * @param gflops  measured rate of the micro-kernel on one thread, for `cost`.
 */
export function attentionLowering(variant: Variant, gflops: number): Lowering<AttentionKernel> {
  return (kernel, target) => {
    const pool = new ConstantPool();
    const layout = new ArgumentLayout({ sizes: [], uniforms: kernel.uniforms, inputs: [], outputs: [] }, 0);
    const module = new Module(target);
    const parts = defineParts(module, kernel, variant);
    const define = kernel.pass === "forward" ? defineForward : defineBackward;
    defineRun(module, kernel, define(module, { target, pool, layout }, parts));
    const planOf = rememberingPlan(kernel, variant);
    return {
      module: module.encode(),
      constants: pool.bytes(),
      encode(call, address, into, threads) {
        encodeSizes(kernel, call, address, into.words);
        for (const [word, value] of planOf(call, threads).words) into.words[word] = value;
        into.words[NEXT_ITEM] = 0;
        layout.encode(call, address, into, {}, UNIFORMS);
      },
      cost({ sizes }) {
        const { outer = 1, inner = 1, queries, keys, width, causal } = sizes as AttentionSizes;
        const seen = causal ? keys - queries / 2 : keys;
        const products = kernel.pass === "forward" ? 2 : 5;
        return outer * inner * queries * products * ((seen * width * 2) / (gflops * 1e3) + ROW);
      },
      workspace: (call, threads) => threads * planOf(call, threads).threadBytes,
    };
  };
}

/** Microseconds, besides its multiplications, for a row in each of a tile's products: 0.07 forward, 0.1 backward. */
const ROW = 0.03;

/** The plan of a call; calls of the same sizes share one. */
function rememberingPlan(kernel: AttentionKernel, variant: Variant) {
  const plans = new Map<
    string,
    { readonly threadBytes: number; readonly words: readonly (readonly [number, number])[] }
  >();
  return (call: Call, threads: number) => {
    const sizes = call.sizes as AttentionSizes;
    const { outer = 1, inner = 1, queries, keys, width } = sizes;
    const name = `${outer} ${inner} ${queries} ${keys} ${width} ${threads}`;
    const known = plans.get(name);
    if (known) return known;
    const { places, ...plan } = planAttention(kernel, sizes, variant, threads);
    const words = Object.entries({ ...plan, ...places }).map(
      ([word, value]) => [ATTENTION_WORD[word as AttentionWord], value] as const,
    );
    const made = { threadBytes: plan.threadBytes, words };
    if (plans.size >= REMEMBERED) plans.clear();
    plans.set(name, made);
    return made;
  };
}

/** Plans kept: a training run has a handful of sizes; text that grows word by word has a new one each time. */
const REMEMBERED = 64;

function encodeSizes(
  kernel: AttentionKernel,
  call: Call,
  address: (slice: BufferSlice) => number,
  words: Arguments["words"],
): void {
  const { inner = 1, queries, keys, width, causal, strides } = call.sizes as AttentionSizes;
  const set = (word: AttentionWord, value: number) => {
    words[ATTENTION_WORD[word]] = value;
  };
  const at = (name: string): number => address(call.outputs[name] ?? call.inputs[name]) | 0;
  // Without a mask every query sees all keys: an offset that reaches past the last from anywhere.
  set("inner", inner);
  set("queries", queries);
  set("keys", keys);
  set("width", width);
  set("offset", causal ? keys - queries : keys);
  for (const name of kernel.matrices) {
    const bytes = kernel.operands === "coded" && (name === "q" || name === "k" || name === "v") ? 1 : 4;
    const { outer = 0, inner: across = 0, row = 0 } = strides[name] ?? {};
    set(name, at(name));
    set(`${name}Outer`, outer * bytes);
    set(`${name}Inner`, across * bytes);
    set(`${name}Row`, row * bytes);
  }
  set("lse", at("lse"));
  if (kernel.operands === "coded")
    for (const name of ["table", "qScale", "kScale", "vScale"] as const) set(name, at(name));
}

/** Defines the exported `run(thread, threads, arguments, scratch)`: threads take items until none is left. */
function defineRun(module: Module, kernel: AttentionKernel, pass: Callee): void {
  const prescale = kernel.operands === "coded" ? definePrescale(module) : null;
  module.function(["i32", "i32", "i32", "i32"], [], "run", (code, thread, _threads, base) => {
    const body = new Body(code, base);
    const memory = body.local("memory");
    const item = body.local("item");
    body.word("workspace").get(thread);
    body.word("threadBytes").op("i32.mul").op("i32.add").set(memory);
    if (prescale)
      (["qScale", "kScale", "vScale"] as const).forEach((scale, i) => {
        body.word("table");
        body.word(scale);
        body.place(memory, "atTables").i32(i * TABLE_BYTES).op("i32.add").call(prescale);
      });
    body.load(["queries", "keys", "splits", "keySplits"]);
    code.while(
      () => {
        code.get(base).i32(1).memory("i32.atomic.rmw.add", NEXT_ITEM * 4).tee(item);
        body.word("items").op("i32.lt_s");
      },
      () => runItem(body, kernel, pass, memory, item),
    );
  });
} // prettier-ignore

/** An item: a range of a batch's queries, or, after these, of its keys. */
function runItem(body: Body, kernel: AttentionKernel, pass: Callee, memory: Local, item: Local): void {
  const { code, base } = body;
  const [batch, part, firstRow, endRow, firstKey, endKey] = [
    "batch", "part", "first row", "end row", "first key", "end key",
  ].map((name) => body.local(name)); // prettier-ignore
  const [splits, keySplits] = [body.value("splits"), body.value("keySplits")];
  code.get(item).get(splits).get(keySplits).op("i32.add").op("i32.div_u").set(batch);
  code.get(item).get(splits).get(keySplits).op("i32.add").op("i32.rem_u").set(part);
  code.i32(0).set(firstRow).get(body.value("queries")).set(endRow);
  code.i32(0).set(firstKey).get(body.value("keys")).set(endKey);
  const ofQueries = () => code.get(part).get(splits).op("i32.lt_s");
  const range = (word: AttentionWord, first: Local, end: Local) => {
    code.get(part);
    body.word(word).op("i32.mul").tee(first);
    body.word(word).op("i32.add").set(body.local("end"));
    pushMin(code, body.local("end"), end).set(end);
  };
  ofQueries().if(
    () => range("splitRows", firstRow, endRow),
    () => {
      code.get(part).get(splits).op("i32.sub").set(part);
      range("splitKeys", firstKey, endKey);
      code.get(part).get(splits).op("i32.add").set(part);
    },
  );
  for (const local of [base, memory, batch, firstRow, endRow, firstKey, endKey]) code.get(local);
  if (kernel.pass === "backward") {
    ofQueries();
    ofQueries().op("i32.eqz").get(keySplits).op("i32.eqz").op("i32.or");
  }
  code.call(pass);
} // prettier-ignore
