/** Writing the array after quantising and decoding. */
import { writeFileAtomic } from "../../src/io/atomic-file.ts";
import type { CommandContext } from "../command.ts";
import type { NamedTensor } from "./tensors.ts";

/** Numbers from here on are rounded to Inf by float16. */
const halfOverflow = 65520;

/** Writes an npy file and says so; and how many numbers the file's type cannot hold. @throws FileError. */
export async function writeQuantised(
  path: string,
  tensor: NamedTensor,
  decoded: Float32Array,
  stderr: CommandContext["stderr"],
): Promise<void> {
  await writeFileAtomic(path, tensor.withValues(decoded));
  stderr.write(`quantize: ${path}\n`);
  const half = tensor.dtype === "f2" || tensor.dtype === "F16";
  const over = half
    ? decoded.filter((value) => Math.abs(value) >= halfOverflow && Number.isFinite(value))
    : [];
  if (over.length > 0) {
    stderr.write(`quantize: ${over.length} numbers are beyond float16 and were written as Inf\n`);
  }
}
