/** Where bytes stop being UTF-8, without making a string of them. */

/**
 * The first byte that cannot stand where it stands in well-formed UTF-8 (no overlong forms, no surrogates,
 * nothing past U+10FFFF), or, where the text ends inside a character, that character's first byte.
 *
 * @returns its offset, or -1 when all is well-formed.
 * @source The Unicode Standard, table 3-7, Well-Formed UTF-8 Byte Sequences.
 */
export function firstInvalidUtf8(bytes: Uint8Array): number {
  for (let at = 0; at < bytes.length;) {
    const lead = bytes[at];
    if (lead < 0x80) {
      at++;
      continue;
    }
    const length = sequenceLength(lead);
    if (length === 0) return at;
    const second = bytes[at + 1];
    if (second === undefined) return at;
    if (!secondFits(lead, second)) return at + 1;
    for (let next = at + 2; next < at + length; next++) {
      if (bytes[next] === undefined) return at;
      if (!isContinuation(bytes[next])) return next;
    }
    at += length;
  }
  return -1;
}

/** Bytes of the character that a lead byte ≥ 0x80 begins; 0 where none may begin with it. */
function sequenceLength(lead: number): number {
  if (lead < 0xc2) return 0;
  if (lead < 0xe0) return 2;
  if (lead < 0xf0) return 3;
  return lead < 0xf5 ? 4 : 0;
}

function secondFits(lead: number, second: number): boolean {
  if (lead === 0xe0) return second >= 0xa0 && second < 0xc0;
  if (lead === 0xed) return second >= 0x80 && second < 0xa0;
  if (lead === 0xf0) return second >= 0x90 && second < 0xc0;
  if (lead === 0xf4) return second >= 0x80 && second < 0x90;
  return isContinuation(second);
}

function isContinuation(byte: number): boolean {
  return byte >= 0x80 && byte < 0xc0;
}
