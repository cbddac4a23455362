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

/** The forms in which a text may hold a secret: as it is, and as a URL, a header or JSON holds it. */
function formsOf (secret: string): string[] {
  if (secret.length < MIN_SECRET_LENGTH) return []
  return [
    ...new Set([
      secret, encodeURIComponent(secret), Buffer.from(secret).toString('base64'), JSON.stringify(secret).slice(1, -1)
    ])
  ]
}

/**
 * Strikes secrets out of texts that others have written: an error of a platform or of a server may repeat what it was
 * sent.
 * @param secrets the secrets in force; another array once they have changed
 */
export function createSecretFilter (secrets: () => readonly string[]): (text: string) => string {
  let known: readonly string[] = []
  let forms: string[] = []
  return text => {
    const inForce = secrets()
    if (inForce !== known) {
      known = inForce
      forms = inForce.flatMap(formsOf)
    }
    return forms.reduce((struck, form) => struck.replaceAll(form, STRUCK), text)
  }
}
