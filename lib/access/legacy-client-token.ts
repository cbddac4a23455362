import { createHash, timingSafeEqual } from 'node:crypto'

/** A client token is valid for a day from its timestamp. */
export const CLIENT_TOKEN_MAX_AGE_MS = 24 * 3_600_000

/** How far a client's clock may run ahead. */
export const CLIENT_TOKEN_MAX_FUTURE_MS = 5 * 60_000

const MAX_CLIENT_TOKEN_LENGTH = 1_024

const MILLISECONDS = /^[1-9]\d{12}$/

const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/

function hashClientToken (timestamp: string, salt: string, secret: string): Buffer {
  return createHash('sha256').update(`${timestamp}${salt}${secret}`).digest()
}

/**
 * `base64( timestamp "::" salt "::" base64( sha256( timestamp salt secret ) ) )`
 * @param now Unix milliseconds
 * @param salt any string without `::`
 */
export function createClientToken (secret: string, now: number, salt: string): string {
  const timestamp = String(now)
  const hash = hashClientToken(timestamp, salt, secret).toString('base64')
  return Buffer.from(`${timestamp}::${salt}::${hash}`).toString('base64')
}

export interface ClientToken {
  /** Unix milliseconds. */
  issuedAt: number
  /** What it says, whichever way its base64 was written. */
  content: string
  madeWith (secret: string): boolean
}

/**
 * Reads strictly, for the hash covers a bare concatenation: digits that move from the salt to the timestamp keep it.
 * So the timestamp must be exactly the 13 digits of a plausible millisecond value.
 * @returns null when it is no client token, or none of now
 */
export function readClientToken (token: string, now: number): ClientToken | null {
  if (token.length > MAX_CLIENT_TOKEN_LENGTH || !BASE64.test(token)) return null
  const content = Buffer.from(token, 'base64').toString('utf8')
  const parts = content.split('::')
  if (parts.length !== 3) return null
  const [timestamp, salt, hash] = parts as [string, string, string]
  if (!MILLISECONDS.test(timestamp)) return null
  const issuedAt = Number(timestamp)
  if (now - issuedAt > CLIENT_TOKEN_MAX_AGE_MS || issuedAt - now > CLIENT_TOKEN_MAX_FUTURE_MS) return null
  const given = Buffer.from(hash)
  return {
    issuedAt,
    content,
    madeWith (secret) {
      const expected = Buffer.from(hashClientToken(timestamp, salt, secret).toString('base64'))
      return given.length === expected.length && timingSafeEqual(given, expected)
    }
  }
}
