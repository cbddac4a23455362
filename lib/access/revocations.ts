import type { UnixMs } from '../../schemas/common.js'
import type { RevocationRequest } from '../../schemas/revocations.js'
import { ApiError } from '../http/api-error.js'
import type { AccessClaims } from './access-tokens.js'
import type { Grant } from './client-tokens.js'
import { CLIENT_TOKEN_MAX_LIFE_MS } from './client-token-times.js'

const MAX_CLOCK_SKEW_MS = 60_000

/** The form in which revocations are stored and published. */
export interface Revocation {
  /** The same for a revocation of the same tokens, which it replaces. */
  id: string
  jti?: string
  /** The id of an application. */
  application?: string
  /** Tokens issued before this time are revoked. Absent with a `jti`. */
  issuedBefore?: UnixMs
  revokedAt: UnixMs
  /** From then on none of the revoked tokens can be valid any more: no token lives longer than a client token. */
  expiresAt: UnixMs
}

/** @throws ApiError when the request names no tokens, or names them twice */
export function toRevocation ({ jti, application, issuedBefore }: RevocationRequest, now: UnixMs): Revocation {
  if (jti !== undefined) {
    if (application !== undefined || issuedBefore !== undefined) {
      throw new ApiError('invalidRequest', { message: 'body.jti must stand alone.' })
    }
    return { id: `jti:${jti}`, jti, revokedAt: now, expiresAt: now + CLIENT_TOKEN_MAX_LIFE_MS }
  }
  if (application === undefined && issuedBefore === undefined) {
    throw new ApiError('invalidRequest', { message: 'body must name jti, application or issuedBefore.' })
  }
  const before = issuedBefore === undefined ? now : Date.parse(issuedBefore)
  if (Number.isNaN(before)) {
    throw new ApiError('invalidRequest', { message: 'body.issuedBefore must be a date and time in ISO 8601.' })
  }
  if (before > now + MAX_CLOCK_SKEW_MS) {
    throw new ApiError('invalidRequest', { message: 'body.issuedBefore must not be in the future.' })
  }
  return {
    id: application === undefined ? 'all' : `application:${application}`,
    ...(application === undefined ? {} : { application }),
    issuedBefore: before,
    revokedAt: now,
    expiresAt: before + CLIENT_TOKEN_MAX_LIFE_MS
  }
}

/** The revocations in force, as far as this process knows. */
export class Revocations {
  readonly #byId = new Map<string, Revocation>()
  readonly #now: () => UnixMs

  constructor (now: () => UnixMs) {
    this.#now = now
  }

  /** Adds a revocation; of two that set a time for the same tokens, the later time counts. */
  add (revocation: Revocation): void {
    const known = this.#byId.get(revocation.id)
    if (known === undefined || (known.issuedBefore ?? 0) < (revocation.issuedBefore ?? 0)) {
      this.#byId.set(revocation.id, revocation)
    }
  }

  /** The revocations in force, the latest first. */
  list (): Revocation[] {
    this.forget()
    return [...this.#byId.values()].sort((a, b) => b.revokedAt - a.revokedAt)
  }

  /** Drops the revocations whose tokens have all expired. */
  forget (): void {
    const now = this.#now()
    for (const [id, { expiresAt }] of this.#byId) {
      if (expiresAt <= now) this.#byId.delete(id)
    }
  }

  hasAccessToken ({ applicationId, jti, parent, issuedAt }: AccessClaims): boolean {
    if (this.#byId.size === 0) return false
    return this.#has(jti) || (parent !== null && this.#has(parent)) || this.#isBefore(applicationId, issuedAt)
  }

  hasClientToken ({ application, jti, issuedAt }: Grant): boolean {
    return (jti !== null && this.#has(jti)) || this.#isBefore(application.id, issuedAt)
  }

  #has (jti: string): boolean {
    return this.#byId.has(`jti:${jti}`)
  }

  #isBefore (applicationId: string, issuedAt: UnixMs): boolean {
    return issuedAt < Math.max(
      this.#byId.get('all')?.issuedBefore ?? 0, this.#byId.get(`application:${applicationId}`)?.issuedBefore ?? 0
    )
  }
}
