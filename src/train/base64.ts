/** Bytes as text for a run's summary. */

/** Base64 of bytes. */
export const base64 = (bytes: Uint8Array): string =>
  btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
