import { hash as digest, timingSafeEqual } from 'node:crypto'
import type { UnixMs } from '../../schemas/common.js'
import { CLIENT_TOKEN_MAX_AGE_MS, CLIENT_TOKEN_MAX_FUTURE_MS } from './client-token-times.js'

const MAX_CLIENT_TOKEN_LENGTH = 1_024
const MILLISECONDS = /^[1-9]\d{12}$/
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/

/** The hash of a token, in one call: a token that names no application is held against the secret of each. */
function hashClientToken (timestamp: string, salt: string, secret: string): string {
  return digest('sha256', `${timestamp}${salt}${secret}`, 'base64')
}

/**
 * A client token in the predecessor's form:
 * `base64( timestamp "::" salt "::" base64( sha256( timestamp salt secret ) ) )`.
 * @param salt any string without `::`
 */
export function createClientToken (secret: string, now: UnixMs, salt: string): string {
  const timestamp = String(now)
  const hash = hashClientToken(timestamp, salt, secret)
  return Buffer.from(`${timestamp}::${salt}::${hash}`).toString('base64')
}

export interface LegacyClientToken {
  issuedAt: UnixMs
  /** The decoded text: the same for every way of writing its base64. */
  content: string
  madeWith (secret: string): boolean
}

/**
 * Reads strictly, for the hash covers a bare concatenation: digits that move from the salt to the timestamp leave it
 * the same. So the timestamp must be exactly the 13 digits of a plausible millisecond value.
 * @returns null when it is no token of this form, has expired, or is of the future
 */
export function readLegacyClientToken (token: string, now: UnixMs): LegacyClientToken | null {
  if (token.length > MAX_CLIENT_TOKEN_LENGTH || !BASE64.test(token)) return null
  const content = Buffer.from(token, 'base64').toString('utf8')
  const parts = content.split('::')
  if (parts.length !== 3) return null
  const [timestamp, salt, hash] = parts as [string, string, string]
  if (!MILLISECONDS.test(timestamp)) return null
  const issuedAt = Number(timestamp)
  if (now - issuedAt > CLIENT_TOKEN_MAX_AGE_MS || issuedAt - now > CLIENT_TOKEN_MAX_FUTURE_MS) return null
  const givenHash = Buffer.from(hash)
  return {
    issuedAt,
    content,
    madeWith (secret) {
      const expected = Buffer.from(hashClientToken(timestamp, salt, secret))
      return givenHash.length === expected.length && timingSafeEqual(givenHash, expected)
    }
  }
}
