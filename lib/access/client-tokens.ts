import { createHash } from 'node:crypto'
import { createVerifier } from 'fast-jwt'
import type { Application } from '../../schemas/applications.js'
import type { UnixMs } from '../../schemas/common.js'
import { isAccessToken } from './access-tokens.js'
import type { Applications } from './applications.js'
import { CLIENT_TOKEN_MAX_AGE_MS, CLIENT_TOKEN_MAX_FUTURE_MS, CLIENT_TOKEN_MAX_LIFE_MS } from './client-token-times.js'
import { readLegacyClientToken } from './legacy-client-token.js'
import { readScope, WHOLE_APPLICATION, type Scope } from './scope.js'

const MAX_JWT_LENGTH = 4_096

/** The rights that a client token has proved. */
export interface Grant {
  application: Application
  scope: Scope
  jti: string | null
  issuedAt: UnixMs
  expiresAt: UnixMs
  /** The same for every way of writing this very token. */
  id: string
}

interface Payload {
  iss?: unknown
  sub?: unknown
  jti?: unknown
  iat?: unknown
  nbf?: unknown
  exp?: unknown
  scope?: unknown
}
type Verifier = (token: string) => Payload

const verifiers = new WeakMap<Application, Verifier[]>()

function verifiersOf (application: Application): Verifier[] {
  const known = verifiers.get(application)
  if (known !== undefined) return known
  const created = application.clientSecrets.map(key => createVerifier({
    key,
    algorithms: ['HS256'],
    ignoreExpiration: true,
    ignoreNotBefore: true,
    requiredClaims: ['exp']
  }) as Verifier)
  verifiers.set(application, created)
  return created
}

function verified (verify: Verifier, token: string): Payload | null {
  try {
    return verify(token)
  } catch {
    return null
  }
}

function digest (...parts: string[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64url')
}

/** The time of a claim, which holds seconds; undefined when it is absent, null when it is no time. */
function readTime (claim: unknown): UnixMs | null | undefined {
  if (claim === undefined) return undefined
  return typeof claim === 'number' && Number.isFinite(claim) ? claim * 1000 : null
}

/**
 * Reads the times strictly: at most a day of life, by the clock of a signer that may be ahead. A token that does not
 * say when it was issued is taken to be as old as it can be.
 */
function readTimes ({ iat, nbf, exp }: Payload, now: UnixMs): { issuedAt: UnixMs, expiresAt: UnixMs } | null {
  const [expiresAt, notBefore, issued] = [readTime(exp), readTime(nbf), readTime(iat)]
  if (typeof expiresAt !== 'number' || notBefore === null || issued === null) return null
  const latest = now + CLIENT_TOKEN_MAX_FUTURE_MS
  if (expiresAt <= now || expiresAt > latest + CLIENT_TOKEN_MAX_AGE_MS) return null
  if ((notBefore ?? now) > latest || (issued ?? now) > latest) return null
  const issuedAt = issued ?? expiresAt - CLIENT_TOKEN_MAX_AGE_MS
  // A token that lives longer would outlive a revocation of all tokens issued before it.
  return expiresAt - issuedAt > CLIENT_TOKEN_MAX_LIFE_MS ? null : { issuedAt, expiresAt }
}

/** The application that the token names, which is not verified yet. */
function claimedApplication (token: string, applications: Applications): Application | undefined {
  try {
    if (isAccessToken(token)) return undefined
    const { iss, sub } = JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()) as Payload
    return [iss, sub].flatMap(id => typeof id === 'string' ? [applications.get(id)] : []).find(application =>
      application !== undefined)
  } catch {
    return undefined
  }
}

/** HS256 alone, signed with a client secret of the application that `iss` or `sub` names. */
function readJwt (token: string, applications: Applications, now: UnixMs): Grant | null {
  if (token.length > MAX_JWT_LENGTH) return null
  const application = claimedApplication(token, applications)
  if (application === undefined) return null
  for (const verify of verifiersOf(application)) {
    const payload = verified(verify, token)
    if (payload !== null) return toGrant(payload, token, application, now)
  }
  return null
}

function toGrant (payload: Payload, token: string, application: Application, now: UnixMs): Grant | null {
  const times = readTimes(payload, now)
  const scope = payload.scope === undefined ? WHOLE_APPLICATION : readScope(payload.scope)
  if (times === null || scope === null) return null
  const jti = typeof payload.jti === 'string' && payload.jti !== '' ? payload.jti : null
  // The signature can be written in several ways, the signed text cannot.
  const id = jti === null
    ? digest(application.id, 'content', token.slice(0, token.lastIndexOf('.')))
    : digest(application.id, 'jti', jti)
  return { application, scope, jti, id, ...times }
}

/** The predecessor's form names no application, so every secret is tried; their number is bounded. */
function readLegacy (token: string, applications: Applications, now: UnixMs): Grant | null {
  const read = readLegacyClientToken(token, now)
  if (read === null) return null
  const application = applications.list().find(({ clientSecrets }) =>
    clientSecrets.some(secret => read.madeWith(secret)))
  if (application === undefined) return null
  return {
    application,
    scope: WHOLE_APPLICATION,
    jti: null,
    issuedAt: read.issuedAt,
    expiresAt: read.issuedAt + CLIENT_TOKEN_MAX_AGE_MS,
    id: digest(application.id, 'content', read.content)
  }
}

/**
 * Reads a client token of either form.
 * @returns null when it proves nothing
 */
export function readGrant (token: string, applications: Applications, now: UnixMs): Grant | null {
  return token.includes('.') ? readJwt(token, applications, now) : readLegacy(token, applications, now)
}

/** How long a client token that is used once must be remembered, also by a process whose clock is behind. */
export function singleUseTtlMs ({ expiresAt }: Grant, now: UnixMs): number {
  return expiresAt - now + CLIENT_TOKEN_MAX_FUTURE_MS
}
