import { describe, expect, it } from "vitest";
import type { Command, CommandContext } from "./command.ts";
import { UsageError } from "./errors.ts";
import { runProgram } from "./run.ts";
import { parseArguments } from "./arguments.ts";

function probe(change: Partial<Command> = {}): { command: Command; calls: CommandContext[] } {
  const calls: CommandContext[] = [];
  const command: Command = {
    name: "probe",
    summary: "looks",
    usage: "probe <thing>",
    options: [{ name: "resume", type: "string", placeholder: "<run>", doc: "goes on" }],
    examples: ["logrung probe x"],
    run: (context) => {
      calls.push(context);
      return Promise.resolve();
    },
    ...change,
  };
  return { command, calls };
}

async function run(args: string[], command: Command, signal = new AbortController().signal) {
  let out = "";
  let err = "";
  const code = await runProgram(args, [command], {
    stdout: { write: (text) => (out += text) },
    stderr: { write: (text) => (err += text) },
    env: {},
    cwd: "/",
    signal,
    version: "1.2.3",
  });
  return { code, out, err };
}

const named = (name: string, more = {}) => Object.assign(new Error("logrung: x"), { name, ...more });

describe("runProgram", () => {
  it("gives a verb its words, options and configuration keys", async () => {
    const { command, calls } = probe({ takesConfig: true });
    const words = [
      "x",
      "--steps",
      "3",
      "--resume=r",
      "--lr=-1e-3",
      "--json",
      "--exempt.embeddings",
      "--",
      "--y",
    ];
    expect((await run(["probe", ...words], command)).code).toBe(0);
    expect(calls[0]).toMatchObject({
      positionals: ["x", "--y"],
      values: { resume: "r", json: true },
      json: true,
      config: [
        { key: "steps", value: "3" },
        { key: "optimizer.lr", value: "-1e-3" },
        { key: "exempt.embeddings", value: "true" },
      ],
    });
  });

  it("answers --help on stdout, with examples, for the program and each verb", async () => {
    const { command, calls } = probe({ takesConfig: true });
    const all = await run(["--help"], command);
    expect(all).toMatchObject({ code: 0, err: "" });
    expect(all.out).toMatch(/probe\s+looks/);
    for (const words of [
      ["probe", "--help"],
      ["help", "probe"],
      ["probe", "--nonsense", "-h"],
    ]) {
      const one = await run(words, command);
      expect(one).toMatchObject({ code: 0, err: "" });
      expect(one.out).toContain("usage: logrung probe <thing>");
      expect(one.out).toContain("logrung probe x");
      expect(one.out).toContain("--resume <run>");
      expect(one.out).toMatch(/--optimizer, --optimizer\.name\s+update rule of the weights \(.*adamw \|/);
    }
    expect(calls).toEqual([]);
    expect((await run(["--version"], command)).out).toBe("1.2.3\n");
  });

  it.each([
    [[], "which verb?"],
    [["prob"], 'unknown verb "prob" (did you mean "probe"? known: probe)'],
    [
      ["probe", "--jsn"],
      'probe has no option "--jsn" (did you mean "--json"? known: --resume, --json, --help)',
    ],
    [["probe", "--resume"], 'option "--resume" needs a value: --resume=<run>'],
    [["probe", "--resume", "--json"], 'option "--resume" needs a value'],
    [["probe", "--json=1"], 'option "--json" takes no value, came "1"'],
    [["probe", "--steps=3"], 'probe has no option "--steps"'],
  ])("refuses %j with code 2 and nothing on stdout", async (args, message) => {
    const { command, calls } = probe();
    const { code, out, err } = await run(args, command);
    expect([code, out]).toEqual([2, ""]);
    expect(err).toContain(`logrung: ${message}`);
    expect(calls).toEqual([]);
  });

  it("refuses an unknown key of the configuration, naming the nearest", async () => {
    const { err } = await run(["probe", "--model.layer=2"], probe({ takesConfig: true }).command);
    expect(err).toContain('probe has no option "--model.layer" (did you mean "--model.layers"?');
    const missing = await run(["probe", "--steps"], probe({ takesConfig: true }).command);
    expect(missing.err).toContain('option "--steps" needs a value');
  });

  it("ends with 1 on a failed run, 2 on unreadable input, 130 when interrupted", async () => {
    const failing = (error: Error) => probe({ run: () => Promise.reject(error) }).command;
    expect(await run(["probe"], failing(named("FileError", { action: "write" })))).toMatchObject({
      code: 1,
      err: "logrung: x\n",
    });
    expect((await run(["probe"], failing(named("FileError", { action: "read" })))).code).toBe(2);
    expect((await run(["probe"], failing(named("CheckpointError")))).code).toBe(2);
    const unexpected = await run(["probe"], failing(new TypeError("odd")));
    expect(unexpected.code).toBe(1);
    expect(unexpected.err).toMatch(/logrung: unexpected TypeError: odd\n\s+at /);
    expect((await run(["probe"], probe().command, AbortSignal.abort())).code).toBe(130);
    expect((await run(["probe"], probe({ run: () => Promise.resolve(1) }).command)).code).toBe(1);
  });
});

it("parseArguments takes the last of an option given twice, and all of one that repeats", () => {
  const { command } = probe();
  const option = { name: "format", type: "string", doc: "which", repeats: true } as const;
  const repeating = probe({ options: [option] }).command;
  expect(parseArguments(repeating, ["--format=a,b", "--format", "c"]).values).toEqual({ format: "a,b,c" });
  expect(parseArguments(command, ["--resume=a", "--resume", "b"]).values).toEqual({ resume: "b" });
  expect(() => parseArguments(command, ["-x"])).toThrow(UsageError);
});
