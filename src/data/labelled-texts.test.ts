import { describe, expect, it } from "vitest";
import { byteTokenizer } from "./byte-tokenizer.ts";
import { heldOut } from "./held-out.ts";
import { classesOf, parseLabelledTexts } from "./labelled-texts.ts";
import { specialSymbols } from "./special-symbols.ts";
import { examplesOf, orderedTexts, trainingTexts } from "./text-batches.ts";
import { wordTokenizer } from "./word-tokenizer.ts";

describe("labelled texts", () => {
  it("are lines of label, text and second text", () => {
    const expected = [
      { label: "good", text: "a fine ladder" },
      { label: "bad", text: "it broke", second: "twice" },
    ];
    expect(parseLabelledTexts("x", "good\ta fine ladder\r\n\nbad\tit broke\ttwice\n", "tsv")).toEqual(expected);
    expect(parseLabelledTexts("x", expected.map((one) => JSON.stringify(one)).join("\n"), "jsonl")).toEqual(expected);
    expect(parseLabelledTexts("x", '{"label": 1, "text": "a"}', "jsonl")).toEqual([{ label: "1", text: "a" }]);
  });

  it.each([
    ["no tab", "good", "tsv", /data "x": line 1: has 1 columns, wants 2 or 3/],
    ["a column more", "a\tb\n\na\tb\tc\td", "tsv", /line 3: has 4 columns/],
    ["no label", "\tb", "tsv", /line 1: has no label/],
    ["nothing", "\n", "tsv", /holds no labelled text/],
    ["no JSON", '{"label": 1, "text": "a"}\n{', "jsonl", /line 2: is not JSON/],
    ["no text", '{"label": 1}', "jsonl", /line 1: "text" is undefined, wants a string/],
    ["a label that is none", '{"label": true, "text": ""}', "jsonl", /line 1: "label" is true, wants a string or a number/],
    ["a second text that is none", '{"label": 1, "text": "", "second": 2}', "jsonl", /"second" is 2/],
  ] as const)("are refused with %s", (_, text, kind, message) => {
    expect(() => parseLabelledTexts("x", text, kind)).toThrow(message);
  });

  it("are found in the columns of a header, by numbers without one, and under other keys", () => {
    const header = "index\tquestion\tsentence\tlabel\n";
    const lines = '0\twhat\tthe "ladder\tyes\n\n1\twho\t\tno\n';
    const expected = [
      { label: "yes", text: "what", second: 'the "ladder' },
      { label: "no", text: "who", second: "" },
    ];
    const named = { label: "label", text: "question", second: "sentence" };
    expect(parseLabelledTexts("x", header + lines, "tsv", named)).toEqual(expected);
    expect(parseLabelledTexts("x", lines, "tsv", { label: "4", text: "2", second: "3" })).toEqual(expected);
    expect(parseLabelledTexts("x", header + lines, "tsv", { label: "label", text: "question" })).toEqual([
      { label: "yes", text: "what" },
      { label: "no", text: "who" },
    ]);
    const json = expected.map(({ label, text, second }, index) => JSON.stringify({ index, label, question: text, sentence: second }));
    expect(parseLabelledTexts("x", json.join("\n"), "jsonl", named)).toEqual(expected);
  });

  it.each([
    ["a column that is not there", "a\tb\n1\t2", "tsv", ["a", "c"], /data "x": line 1: names no column "c", but a, b/],
    ["a line that is cut", "a\tb\tc\n1\t2\t3\n1\t2", "tsv", ["a", "c"], /line 3: has 2 columns, wants at least 3/],
    ["no label", "1\t\n", "tsv", ["2", "1"], /line 1: has no label/],
    ["a header alone", "a\tb\n", "tsv", ["a", "b"], /holds no labelled text/],
    ["a second text that is missing", '{"label": 1, "text": ""}', "jsonl", ["label", "text", "b"], /line 1: "b" is undefined/],
  ] as const)("are refused in columns with %s", (_, text, kind, [label, column, second], message) => {
    const columns = { label, text: column, ...(second === undefined ? {} : { second }) };
    expect(() => parseLabelledTexts("x", text, kind, columns)).toThrow(message);
  });

  it("number their classes by size or by name", () => {
    const of = (...labels: string[]) => classesOf(labels.map((label) => ({ label, text: "" })));
    expect(of("10", "9", "10")).toEqual(["9", "10"]);
    expect(of("b", "10", "a")).toEqual(["10", "a", "b"]);
  });
}); // prettier-ignore

const symbols = specialSymbols(256);
const options = { name: "x", tokenizer: byteTokenizer, symbols, context: 10, classes: ["n", "y"] };
const { start, end } = symbols;

describe("batches of texts", () => {
  it("begin, part and pad texts, and cut the longer of two", () => {
    const texts = [
      { label: "y", text: "ab" },
      { label: "n", text: "abcdefgh", second: "xy" },
      { label: "n", text: "abcdefghijklmn" },
    ];
    const [batch, last] = orderedTexts(examplesOf(texts, options), { rows: 2, symbols });
    const bytes = (text: string): number[] => [...new TextEncoder().encode(text)];
    const short = [start, ...bytes("ab"), end];
    const pair = [start, ...bytes("abcde"), end, ...bytes("xy"), end];
    expect([...batch.ids]).toEqual([...short, ...Array(6).fill(end), ...pair]);
    expect([...batch.types]).toEqual([...Array(10).fill(0), 0, 0, 0, 0, 0, 0, 0, 1, 1, 1]);
    expect([batch.length, [...batch.lengths], [...batch.labels]]).toEqual([10, [4, 10], [1, 0]]);
    expect([...last.ids]).toEqual([start, ...bytes("abcdefgh"), end]);
  });

  it("have each text once an epoch", () => {
    const texts = Array.from({ length: 6 }, (_, i) => ({ label: "n", text: "x".repeat(i) }));
    const examples = examplesOf(texts, options);
    const epoch = [1, 2, 3].flatMap((step) => [
      ...trainingTexts(examples, { seed: 1, step, rows: 2, symbols }).lengths,
    ]);
    expect(epoch.toSorted()).toEqual([2, 3, 4, 5, 6, 7]);
  });

  it("refuse other labels and other words", () => {
    expect(() => examplesOf([{ label: "z", text: "" }], options)).toThrow(
      /label "z" is none of the classes n, y/,
    );
    const words = { ...options, tokenizer: wordTokenizer(["the", "<eos>"]) };
    expect(() => examplesOf([{ label: "n", text: "the rung" }], words)).toThrow(/data "x": text 1: .*rung/);
  });
});

it("parts of a set are its own at every seed, and complete", () => {
  const { training, validation } = heldOut(20, 0.25, 3);
  expect([training.length, validation.length]).toEqual([15, 5]);
  expect([...training, ...validation].toSorted((a, b) => a - b)).toEqual([...Array(20).keys()]);
  expect(heldOut(20, 0.25, 3)).toEqual({ training, validation });
  expect(heldOut(20, 0.25, 4).validation).not.toEqual(validation);
});
