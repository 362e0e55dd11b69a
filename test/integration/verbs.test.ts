/** What one does with a run: eval, generate, inspect, report; and doctor, help, version. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { commands } from "../../cli/commands/commands.generated.ts";
import { inPlace, logrung, sentences, training, workspace } from "./program.ts";

const folder = workspace();
const run = join(folder, "run");
const ok = async (...words: string[]): Promise<string> => {
  const { code, stdout, stderr } = await inPlace(words, { cwd: folder });
  expect(code, stderr).toBe(0);
  return stdout;
};
const json = async (...words: string[]) =>
  JSON.parse(await ok(...words, "--json")) as Record<string, unknown>;

beforeAll(async () => {
  const words = training(run, 60, "--checkpoint.every=30", "--evaluate.every=30", "--sample.length=40");
  expect((await inPlace(words)).code).toBe(0);
});

describe("eval", () => {
  it("scores any checkpoint, and any text whole", async () => {
    const late = await json("eval", "run");
    const early = await json("eval", "run", "--checkpoint", "step-0");
    expect(late).toMatchObject({ run, step: 60 });
    expect(early).toMatchObject({ run, step: 0 });
    expect(late.loss).toBeLessThan(early.loss as number);
    writeFileSync(join(folder, "other.txt"), sentences(900));
    expect(await json("eval", "run", "--data", "other.txt")).toMatchObject({ bytes: 900, step: 60 });
    expect(await ok("eval", "run")).toMatch(/^loss \d\.\d{4} nats, perplexity .* bits a byte \(step 60, /);
  });

  it("refuses a text in which there is nothing to score", async () => {
    writeFileSync(join(folder, "short.txt"), "sixteen letters.");
    const { code, stdout, stderr } = await inPlace([
      "eval",
      run,
      "--data",
      join(folder, "short.txt"),
      "--json",
    ]);
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toContain("too short: 16 bytes, a context of 16 needs 17");
  });
});

describe("generate", () => {
  const generate = (...more: string[]) => json("generate", "run", "--length=30", "--prompt=the ", ...more);

  it("gives the same text for the same seed, another for another", async () => {
    const [one, same, other] = [
      await generate("--seed=3"),
      await generate("--seed=3"),
      await generate("--seed=4"),
    ];
    expect(same).toEqual(one);
    expect(other.text).not.toBe(one.text);
    expect(one).toMatchObject({ run, step: 60, prompt: "the ", seed: 3, length: 30 });
  });

  it("takes the likeliest at temperature 0, whatever the seed, and so does the best of one", async () => {
    const cold = await generate("--temperature=0", "--seed=1");
    expect((await generate("--temperature=0", "--seed=2")).text).toBe(cold.text);
    expect((await generate("--top-k=1", "--temperature=1", "--seed=2")).text).toBe(cold.text);
  });

  it("writes the prompt and the text, and nothing else", async () => {
    const { text } = await generate();
    const { code, stdout, stderr } = await logrung(["generate", run, "--length=30", "--prompt", "the "]);
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: `the ${String(text)}\n`, stderr: "" });
  });

  it.each([
    ["--length=-1", "wants a whole number >= 0"],
    ["--length=2.5", "wants a whole number >= 0"],
    ["--top-k=x", "wants a whole number >= 0"],
    ["--temperature=-1", "wants a number >= 0"],
    ["--prompt=", '"--prompt" needs a value'],
  ])("refuses %s", async (flag, message) => {
    const { code, stderr } = await inPlace(["generate", run, flag]);
    expect(stderr).toContain(message);
    expect(code).toBe(2);
  });
});

describe("inspect", () => {
  it("shows each tensor with its format, and the run's place", async () => {
    const { metadata, tensors } = await json("inspect", "run");
    expect(metadata).toMatchObject({ step: 60 });
    const weight = (tensors as { name: string; format: string | null; nonFinite: number }[]).filter(
      ({ format }) => format === "lns8-g16",
    );
    expect(weight.length).toBeGreaterThan(3);
    expect(weight.every(({ nonFinite }) => nonFinite === 0)).toBe(true);
    expect(await ok("inspect", join(run, "checkpoints", "step-30.safetensors"))).toContain("lns8-g16");
  });
});

describe("report", () => {
  it("writes the run's page again, and a page that compares", async () => {
    const page = join(folder, "both.html");
    expect(await json("report", "run", "run", "--output", "both.html")).toMatchObject({
      page,
      runs: [{ steps: 60 }, { steps: 60 }],
    });
    expect(existsSync(page)).toBe(true);
    expect(await ok("report", "run")).toContain("rung");
  });

  it("is a page that needs no other file and no network", () => {
    const html = readFileSync(join(run, "report.html"), "utf8");
    const tags = html.replaceAll(/(<(script|style)\b[^>]*>).*?<\/\2>/gs, "$1").match(/<[a-z][^>]*>/g) ?? [];
    const loading = /^<(?:link|iframe|object|embed|base)\b|\s(?:src|srcset|href|action|poster|data)\s*=/;
    expect(tags.length).toBeGreaterThan(50);
    expect(tags.filter((tag) => loading.test(tag))).toEqual([]);
    const reaching =
      /@import|url\(\s*["']?(?!data:|#)|\bfetch\(|XMLHttpRequest|\bimport\(|sendBeacon|WebSocket/g;
    expect(html.match(reaching)).toBeNull();
    expect(html).toContain("default-src 'none'");
    expect(html).toMatch(/<pre><b>\n<\/b>[^<]+<\/pre>/);
    const drawn = [...html.matchAll(/<h2>([^<]*)<\/h2>(?:<p>[^<]*<\/p>)?<div class="plot" id="([^"]*)"/g)];
    const titles = drawn.map(([, title]) => title);
    expect(titles).toEqual(
      expect.arrayContaining(["Loss by step", "Loss by time", "weights on the ladder lns8-g16"]),
    );
    expect(new Set(drawn.map(([, , id]) => id)).size).toBe(drawn.length);
  });
});

describe("the program", () => {
  it("says what this machine offers", async () => {
    expect(await ok("doctor")).toMatch(/threads[^]*mxfp4-e2m1 +\w+ \d+x\d+, \d+ GFLOP/i);
    expect(Object.keys(await json("doctor"))).toContain("threads");
  });

  it("tells its version and its verbs", async () => {
    const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
      version: string;
    };
    expect((await logrung(["--version"])).stdout).toBe(`${version}\n`);
    const overview = await ok("--help");
    for (const name of Object.keys(commands)) expect(overview).toContain(name);
  });

  it.each(Object.keys(commands))("explains %s", async (verb) => {
    const help = await ok(verb, "--help");
    expect(help).toContain(`usage: logrung ${verb}`);
    expect(help).toContain("examples:");
    expect(await ok("help", verb)).toBe(help);
  });
});
