/**
 * Loaded before the program (`node --import`): copies the run folder before every operation that changes a file, so
 * that each state a kill -9 could leave behind can be looked at.
 *
 * CRASH_POINTS_OF is the run folder, CRASH_POINTS_TO where the copies `0`, `1`, … go.
 */
import fs from "node:fs";
import promises from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { join } from "node:path";

const { CRASH_POINTS_OF: of = "", CRASH_POINTS_TO: to = "" } = process.env;
const { cpSync, existsSync } = fs;
let taken = 0;
let copying = false;

function copy() {
  if (copying || !existsSync(of)) return;
  copying = true;
  cpSync(of, join(to, String(taken++)), { recursive: true });
  copying = false;
}

/** Replaces methods by ones that copy first. */
function before(object, names) {
  for (const name of names) {
    const original = object[name];
    object[name] = function (...given) {
      copy();
      return original.apply(this, given);
    };
  }
}

before(promises, ["open", "rename", "rm", "mkdir", "writeFile"]);
before(fs, ["openSync", "writeSync", "ftruncateSync"]);
const probe = await promises.open(process.execPath, "r");
before(Object.getPrototypeOf(probe), ["write", "sync"]);
await probe.close();
syncBuiltinESMExports();
