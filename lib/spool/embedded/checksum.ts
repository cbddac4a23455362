import { isUtf8 } from 'node:buffer'
import { crc32 } from 'node:zlib'

const SEAL_BYTES = 8

/**
 * Puts a checksum in front of a value: LMDB hands out whatever it made of a compressed value that was damaged.
 * @param parts of the value, joined as they are copied
 */
export function addChecksum (parts: Buffer[]): Buffer {
  return Buffer.concat([Buffer.from(checksum(parts)), ...parts])
}

/** The value; null when it is not what was sealed. */
export function removeChecksum (sealed: Buffer): Buffer | null {
  const value = sealed.subarray(SEAL_BYTES)
  return sealed.toString('latin1', 0, SEAL_BYTES) === checksum([value]) ? value : null
}

/** What can be kept of bytes that are not what was sealed: their text, or base64 where they are none. */
export function describeBytes (bytes: Buffer): string {
  return bytes.toString(isUtf8(bytes) ? 'utf8' : 'base64')
}

function checksum (parts: Buffer[]): string {
  return parts.reduce((sum, part) => crc32(part, sum), 0).toString(16).padStart(SEAL_BYTES, '0')
}
