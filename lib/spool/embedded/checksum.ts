import { isUtf8 } from 'node:buffer'
import { crc32 } from 'node:zlib'

const CHECKSUM_BYTES = 8

/**
 * Puts a checksum in front of a value, as LMDB decompresses a damaged value without an error.
 * @param parts of the value, joined as they are copied
 */
export function addChecksum (parts: Buffer[]): Buffer {
  return Buffer.concat([Buffer.from(checksum(parts)), ...parts])
}

/** The value behind its checksum; null when the two do not belong together. */
export function removeChecksum (checked: Buffer): Buffer | null {
  const value = checked.subarray(CHECKSUM_BYTES)
  return checked.toString('latin1', 0, CHECKSUM_BYTES) === checksum([value]) ? value : null
}

/** Damaged bytes as a string that can be stored: their text, or base64 when they are no UTF-8. */
export function describeBytes (bytes: Buffer): string {
  return bytes.toString(isUtf8(bytes) ? 'utf8' : 'base64')
}

function checksum (parts: Buffer[]): string {
  return parts.reduce((sum, part) => crc32(part, sum), 0).toString(16).padStart(CHECKSUM_BYTES, '0')
}
