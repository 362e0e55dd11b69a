/** What every published model that becomes a run, and every run that is published, have in common. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { byteTokenizer } from "../src/data/byte-tokenizer.ts";
import type { Tokenizer } from "../src/data/tokenizer.ts";
import { type HuggingFaceCheckpoint, HuggingFaceError } from "../src/models/huggingface.ts";
import type { ConfigAssignment } from "./command.ts";
import type { LanguageConfig } from "./config/resolve.ts";
import { UsageError } from "./errors.ts";
import type { Session } from "./session.ts";
import { publishedTokenizer, tokenizerIn } from "./vocabulary.ts";

/** A published model that becomes a run. */
export interface ConversionRequest {
  readonly published: HuggingFaceCheckpoint;
  /** Its folder. */
  readonly from: string;
  readonly assignments: readonly ConfigAssignment[];
  readonly cwd: string;
}

/** A session with a published model's weights, and what its run keeps beside them. */
export interface ConvertedSession {
  readonly session: Session;
  readonly files: Readonly<Record<string, string>>;
}

/** What a run is published as. */
export interface PublishedFiles {
  readonly published: HuggingFaceCheckpoint;
  readonly files: Readonly<Record<string, string>>;
}

/** What is no size of a model. */
const free = new Set(["model.dropout", "model.recompute"]);

/** @throws UsageError for sizes that are given. */
export function expectOwnSizes(assignments: readonly ConfigAssignment[]): void {
  const changed = assignments.find(({ key }) => key.startsWith("model.") && !free.has(key));
  if (changed) throw new UsageError(`--${changed.key}: a converted model keeps its sizes`);
}

/**
 * The tokeniser of a published model: the one that is named, else the folder's own, else GPT-2's; a BERT's own
 * may have as many symbols as another's.
 *
 * @param symbols  of the model.
 * @param of  symbols that a model of a tokeniser has.
 * @throws HuggingFaceError when these are not the model's, and what reading throws.
 */
export async function tokenizerFor(
  folder: string,
  data: Pick<LanguageConfig["data"], "level" | "vocabulary" | "dir">,
  symbols: number,
  of: (tokenizer: Tokenizer) => number,
): Promise<Tokenizer> {
  const found = await tokenizerOfLevel(folder, data);
  if (of(found) === symbols) return found;
  throw new HuggingFaceError(
    `the model has ${symbols} symbols, the tokeniser (${data.level}) ${of(found)}; name its folder: --data.vocabulary`,
  );
}

async function tokenizerOfLevel(
  folder: string,
  { level, vocabulary, dir }: Pick<LanguageConfig["data"], "level" | "vocabulary" | "dir">,
): Promise<Tokenizer> {
  if (vocabulary !== undefined) return tokenizerIn(vocabulary, level);
  if (level === "bytes") return byteTokenizer;
  if (level === "gpt2" && !existsSync(join(folder, "merges.txt"))) return publishedTokenizer(level, dir);
  return tokenizerIn(folder, level);
}
