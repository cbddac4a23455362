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

const STRUCK = '[secret]'
/** A shorter text may be a word of any message. */
const MIN_SECRET_LENGTH = 6

/**
 * Strikes secrets out of texts that others have written: an error of a platform or of a server may repeat what it was
 * sent, also as a URL or a header holds it.
 * @param secrets the secrets in force
 */
export function createSecretFilter (secrets: () => Iterable<string>): (text: string) => string {
  return text => {
    let struck = text
    for (const secret of secrets()) {
      if (secret.length < MIN_SECRET_LENGTH) continue
      for (const form of new Set([secret, encodeURIComponent(secret), Buffer.from(secret).toString('base64')])) struck = struck.replaceAll(form, STRUCK)
    }
    return struck
  }
}
