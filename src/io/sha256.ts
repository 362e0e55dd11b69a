/** SHA-256 of bytes, on Node (streaming) and in the page (Web Crypto). */

/**
 * SHA-256 over parts as if they were one run of bytes: streaming on Node, by Web Crypto elsewhere.
 *
 * @returns 64 lower-case hexadecimal digits.
 */
export async function sha256(parts: readonly Uint8Array[]): Promise<string> {
  if (typeof process === "undefined" || process.versions?.node === undefined) return sha256Web(parts);
  const { createHash } = await import("node:crypto");
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest("hex");
}

/** {@link sha256} by Web Crypto, which wants all bytes in one array. */
export async function sha256Web(parts: readonly Uint8Array[]): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", joinBytes(parts)));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** One array holding the parts one after the other. */
export function joinBytes(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}
