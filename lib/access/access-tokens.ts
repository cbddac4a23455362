import { createHash } from 'node:crypto'
import { createSigner, createVerifier } from 'fast-jwt'
import { LRUCache } from 'lru-cache'
import type { Application } from '../../schemas/applications.js'
import type { UnixMs } from '../../schemas/common.js'
import { readScope, WHOLE_APPLICATION, type Scope } from './scope.js'

const MAX_ACCESS_TOKEN_LENGTH = 4_096
/** The `typ` of access tokens (RFC 9068). Older tokens have the `typ` of any JWT, and are taken until they expire. */
const TYPE = 'at+jwt'
const TYPES_TAKEN: ReadonlySet<unknown> = new Set([TYPE, 'JWT'])
/** Verified access tokens remembered. */
const CACHE_SIZE = 10_000
/** Refused tokens that are remembered: a page repeats one until it has another. */
const REFUSED_CACHE_SIZE = 1_000
const KEY_ID_LENGTH = 8
/** Browsers send this for a page whose origin they hide. */
const HIDDEN_ORIGIN = 'null'

/** Whether a JWT says that it is an access token, and nothing else. */
export function isAccessToken (token: string): boolean {
  const { typ } = readHeader(token)
  return typeof typ === 'string' && typ.toLowerCase().replace('application/', '') === TYPE
}

/** The application that sends a request, with the rights of its token; taken from the token, never from the payload. */
export interface Principal {
  application: Application
  /** The id of the client token's grant, which all access tokens share that it was traded for. */
  grant: string
  scope: Scope
}

/** The claims of an access token. */
export interface AccessClaims {
  applicationId: string
  jti: string
  scope: Scope
  /** The origin of the page that it was issued to, which alone may use it; null: it was issued to no page. */
  origin: string | null
  /** `jti` of the client token that it was traded for; null when that had none. */
  parent: string | null
  /** The id of the grant of that client token; for an access token of before its own `jti`. */
  grant: string
  /** To the second. */
  issuedAt: UnixMs
  expiresAt: UnixMs
}

export type NewAccessToken =
  Pick<AccessClaims, 'applicationId'> & Partial<Pick<AccessClaims, 'scope' | 'origin' | 'parent' | 'grant'>>

export interface AccessTokenOptions {
  /** The first signs, each verifies. */
  secrets: [string, ...string[]]
  ttlSeconds: number
  now: () => UnixMs
  /** Makes a `jti`. */
  id: () => string
}

interface Payload {
  sub?: unknown
  jti?: unknown
  iat?: unknown
  exp?: unknown
  /** Scope, origin, parent, grant. */
  scp?: unknown
  org?: unknown
  par?: unknown
  grt?: unknown
}
type Verifier = (token: string) => Payload

/** A name of the key that does not tell the key. */
function keyId (secret: string): string {
  return createHash('sha256').update(`kid ${secret}`).digest('base64url').slice(0, KEY_ID_LENGTH)
}

/** @throws SyntaxError */
function readHeader (token: string): { kid?: unknown, typ?: unknown } {
  return JSON.parse(Buffer.from(token.slice(0, token.indexOf('.')), 'base64url').toString()) ?? {}
}

/** Issues access tokens (JWT, HS256) and verifies them; the claims of verified tokens are remembered. */
export class AccessTokens {
  readonly #options: AccessTokenOptions
  readonly #seen = new LRUCache<string, AccessClaims>({ max: CACHE_SIZE })
  /** A refused token stays refused: keys change with the process only. */
  readonly #refused = new LRUCache<string, true>({ max: REFUSED_CACHE_SIZE })
  /** Absent until the first token comes. */
  #verifiers: Map<unknown, Verifier> | undefined

  constructor (options: AccessTokenOptions) {
    this.#options = options
  }

  issue ({ applicationId, scope = WHOLE_APPLICATION, origin = null, parent = null, grant }: NewAccessToken): string {
    const { secrets: [secret], ttlSeconds, now, id } = this.#options
    const sign = createSigner({
      key: secret,
      algorithm: 'HS256',
      kid: keyId(secret),
      header: { alg: 'HS256', typ: TYPE },
      clockTimestamp: now(),
      expiresIn: ttlSeconds * 1000
    })
    return sign({
      sub: applicationId,
      jti: id(),
      ...(scope === WHOLE_APPLICATION ? {} : { scp: scope }),
      ...(origin === null ? {} : { org: origin }),
      ...(parent === null ? {} : { par: parent }),
      ...(grant === undefined ? {} : { grt: grant })
    })
  }

  /** Null for a token that is not ours, forged or expired. */
  verify (token: string): AccessClaims | null {
    if (this.#refused.has(token)) return null
    const claims = this.#seen.get(token) ?? this.#read(token)
    return claims !== null && this.#options.now() < claims.expiresAt ? claims : null
  }

  /** Expiry is not looked at: the claims are remembered, and each use asks the clock. */
  #read (token: string): AccessClaims | null {
    if (token.length > MAX_ACCESS_TOKEN_LENGTH) return null
    const claims = this.#verified(token)
    if (claims === null) this.#refused.set(token, true)
    else this.#seen.set(token, claims)
    return claims
  }

  #verified (token: string): AccessClaims | null {
    try {
      const { kid, typ } = readHeader(token)
      if (!TYPES_TAKEN.has(typ)) return null
      const payload = this.#verifierOf(kid)?.(token)
      return payload === undefined ? null : toClaims(payload)
    } catch {
      return null
    }
  }

  #verifierOf (id: unknown): Verifier | undefined {
    this.#verifiers ??= new Map(this.#options.secrets.map(secret => [keyId(secret), createVerifier({
      key: secret,
      algorithms: ['HS256'],
      ignoreExpiration: true,
      requiredClaims: ['sub', 'jti', 'iat', 'exp']
    }) as Verifier]))
    return this.#verifiers.get(id)
  }
}

/**
 * Whether the token was issued to a page of another origin. An application may admit pages whose browser hides their
 * origin, with any of its tokens.
 */
export function isBoundElsewhere (
  { origin: bound }: AccessClaims, origin: string | undefined, { allowedOrigins }: Application
): boolean {
  if (bound === null || bound === origin) return false
  return !(origin === HIDDEN_ORIGIN && allowedOrigins.includes(HIDDEN_ORIGIN))
}

function toClaims ({ sub, jti, iat, exp, scp, org, par, grt }: Payload): AccessClaims | null {
  if (typeof sub !== 'string' || typeof jti !== 'string' || typeof iat !== 'number' || typeof exp !== 'number') {
    return null
  }
  const scope = scp === undefined ? WHOLE_APPLICATION : readScope(scp)
  if (scope === null) return null
  return {
    applicationId: sub,
    jti,
    scope,
    origin: typeof org === 'string' ? org : null,
    parent: typeof par === 'string' ? par : null,
    grant: typeof grt === 'string' ? grt : jti,
    issuedAt: iat * 1000,
    expiresAt: exp * 1000
  }
}
