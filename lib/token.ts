import { createHash, timingSafeEqual } from 'node:crypto'
import { createSigner, createVerifier } from 'fast-jwt'
import { LRUCache } from 'lru-cache'

/** A client token is valid for a day from its timestamp. */
export const CLIENT_TOKEN_MAX_AGE_MS = 24 * 3_600_000
/** How far a client's clock may run ahead. */
export const CLIENT_TOKEN_MAX_FUTURE_MS = 5 * 60_000
const MAX_CLIENT_TOKEN_LENGTH = 1_024
const MAX_ACCESS_TOKEN_LENGTH = 2_048
/** Verified access tokens remembered. */
const CACHE_SIZE = 10_000

const MILLISECONDS = /^[1-9]\d{12}$/
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/

/** Whose items these are; taken from the token, never from the payload. */
export interface Identity {
  application: string
  /** The access token's id. */
  jti: string
}

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

/**
 * Reads strictly, for the hash covers a bare concatenation: digits that move from the salt to the timestamp keep it.
 * So the timestamp must be exactly the 13 digits of a plausible millisecond value.
 */
export function verifyClientToken (token: string, secret: string, now: number): boolean {
  if (token.length > MAX_CLIENT_TOKEN_LENGTH || !BASE64.test(token)) return false
  const parts = Buffer.from(token, 'base64').toString('utf8').split('::')
  if (parts.length !== 3) return false
  const [timestamp, salt, hash] = parts as [string, string, string]
  if (!MILLISECONDS.test(timestamp)) return false
  const age = now - Number(timestamp)
  if (age > CLIENT_TOKEN_MAX_AGE_MS || age < -CLIENT_TOKEN_MAX_FUTURE_MS) return false
  const expected = Buffer.from(hashClientToken(timestamp, salt, secret).toString('base64'))
  const given = Buffer.from(hash)
  return given.length === expected.length && timingSafeEqual(given, expected)
}

export interface AccessTokenOptions {
  secret: string
  ttlSeconds: number
  /** Unix milliseconds. */
  now: () => number
  /** Makes a `jti`. */
  id: () => string
}

interface CachedIdentity {
  identity: Identity
  expiresAt: number
}

/** Issues access tokens (JWT, HS256) and verifies them; a token seen before costs a look-up. */
export class AccessTokens {
  readonly #options: AccessTokenOptions
  readonly #seen = new LRUCache<string, CachedIdentity>({ max: CACHE_SIZE })
  readonly #verify: (token: string) => { sub?: unknown, jti?: unknown, exp?: unknown }

  constructor (options: AccessTokenOptions) {
    this.#options = options
    this.#verify = createVerifier({ key: options.secret, algorithms: ['HS256'], ignoreExpiration: true, requiredClaims: ['sub', 'jti', 'iat', 'exp'] })
  }

  issue (application: string): string {
    const { secret, ttlSeconds, now, id } = this.#options
    const sign = createSigner({ key: secret, algorithm: 'HS256', clockTimestamp: now(), expiresIn: ttlSeconds * 1000 })
    return sign({ sub: application, jti: id() })
  }

  /** Null for a token that is not ours, forged or expired. */
  verify (token: string): Identity | null {
    const cached = this.#seen.get(token) ?? this.#read(token)
    return cached !== null && this.#options.now() < cached.expiresAt ? cached.identity : null
  }

  /** Expiry is left to the caller, who asks its own clock each time. */
  #read (token: string): CachedIdentity | null {
    if (token.length > MAX_ACCESS_TOKEN_LENGTH) return null
    try {
      const { sub, jti, exp } = this.#verify(token)
      if (typeof sub !== 'string' || typeof jti !== 'string' || typeof exp !== 'number') return null
      const cached = { identity: { application: sub, jti }, expiresAt: exp * 1000 }
      this.#seen.set(token, cached)
      return cached
    } catch {
      return null
    }
  }
}
