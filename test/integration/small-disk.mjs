/**
 * Loaded before the program (`node --import`): a disk that takes SMALL_DISK_BYTES more bytes, then says ENOSPC, and
 * frees none. The last write may get a part of its bytes down, as a real one does. Only writes of the program are
 * counted, and only when SMALL_DISK_AT, the run folder, is there.
 */
import fs from "node:fs";
import promises from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";

const { SMALL_DISK_BYTES, SMALL_DISK_AT = "" } = process.env;
const { existsSync } = fs;
let left = Number(SMALL_DISK_BYTES);

/** How many of so many bytes still fit. */
function admitted(wanted) {
  if (!existsSync(SMALL_DISK_AT)) return wanted;
  const fits = Math.min(left, wanted);
  left -= fits;
  if (fits === 0)
    throw Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });
  return fits;
}

const { writeSync } = fs;
fs.writeSync = (file, bytes, offset, length, position) =>
  writeSync(file, bytes, offset, admitted(length), position);

const probe = await promises.open(process.execPath, "r");
const prototype = Object.getPrototypeOf(probe);
const { write } = prototype;
prototype.write = async function (bytes, offset, length, ...rest) {
  return write.call(this, bytes, offset, admitted(length), ...rest);
};
await probe.close();

const { writeFile } = promises;
promises.writeFile = async (path, data, options) => {
  admitted(Buffer.byteLength(data));
  return writeFile(path, data, options);
};
syncBuiltinESMExports();
