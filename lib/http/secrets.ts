import { createHash, timingSafeEqual } from 'node:crypto'

function digest (text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

/**
 * Compares texts with a secret in constant time. Digests are of one length, so that a comparison tells nothing about
 * the length of the secret.
 */
export function createSecretCheck (secret: string): (given: string) => boolean {
  const expected = digest(secret)
  return given => timingSafeEqual(digest(given), expected)
}
