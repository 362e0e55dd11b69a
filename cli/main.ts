#!/usr/bin/env node
/** The `logrung` program: how it uses memory, then the rest of it. */
import { keepYoungSpaceSmall } from "../src/io/process-memory.ts";

keepYoungSpaceSmall();
await import("./program.ts");
