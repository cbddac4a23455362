import { ApiError } from '../http/api-error.js'
import type { AccessClaims } from './access-tokens.js'
import type { Grant } from './client-tokens.js'

/** No token lives longer, so no revocation has to. */
export const MAX_TOKEN_LIFE_MS = 24 * 3_600_000
const MAX_CLOCK_SKEW_MS = 60_000

export interface Revocation {
  /** The same for what it replaces. */
  id: string
  jti?: string
  application?: string
  /** Unix milliseconds; tokens issued before are revoked. Absent with a `jti`. */
  issuedBefore?: number
  /** Unix milliseconds. */
  revokedAt: number
  /** Unix milliseconds; when no token that it speaks of can be valid any more. */
  expiresAt: number
}

export interface RevocationRequest {
  jti?: string
  application?: string
  issuedBefore?: string
}

/**
 * @param now Unix milliseconds
 * @throws ApiError when the request says nothing, or two things
 */
export function toRevocation ({ jti, application, issuedBefore }: RevocationRequest, now: number): Revocation {
  if (jti !== undefined) {
    if (application !== undefined || issuedBefore !== undefined) throw new ApiError('invalidRequest', { message: 'body.jti must stand alone.' })
    return { id: `jti:${jti}`, jti, revokedAt: now, expiresAt: now + MAX_TOKEN_LIFE_MS }
  }
  if (application === undefined && issuedBefore === undefined) throw new ApiError('invalidRequest', { message: 'body must name jti, application or issuedBefore.' })
  const before = issuedBefore === undefined ? now : Date.parse(issuedBefore)
  if (Number.isNaN(before)) throw new ApiError('invalidRequest', { message: 'body.issuedBefore must be a date and time in ISO 8601.' })
  if (before > now + MAX_CLOCK_SKEW_MS) throw new ApiError('invalidRequest', { message: 'body.issuedBefore must not be in the future.' })
  return {
    id: application === undefined ? 'all' : `application:${application}`,
    ...(application === undefined ? {} : { application }),
    issuedBefore: before,
    revokedAt: now,
    expiresAt: before + MAX_TOKEN_LIFE_MS
  }
}

/** The revocations in force, as far as this process knows. */
export class Revocations {
  readonly #byId = new Map<string, Revocation>()
  readonly #now: () => number

  /** @param now Unix milliseconds */
  constructor (now: () => number) {
    this.#now = now
  }

  /** Adds one; of two that set a time for the same tokens, the later time counts. */
  add (revocation: Revocation): void {
    const known = this.#byId.get(revocation.id)
    if (known === undefined || (known.issuedBefore ?? 0) < (revocation.issuedBefore ?? 0)) this.#byId.set(revocation.id, revocation)
  }

  /** Those in force, the latest first. */
  list (): Revocation[] {
    this.forget()
    return [...this.#byId.values()].sort((a, b) => b.revokedAt - a.revokedAt)
  }

  /** Drops those whose tokens have all expired. */
  forget (): void {
    const now = this.#now()
    for (const [id, { expiresAt }] of this.#byId) {
      if (expiresAt <= now) this.#byId.delete(id)
    }
  }

  hasAccessToken ({ application, jti, parent, issuedAt }: AccessClaims): boolean {
    if (this.#byId.size === 0) return false
    return this.#has(jti) || (parent !== null && this.#has(parent)) || this.#isBefore(application, issuedAt)
  }

  hasClientToken ({ application, jti, issuedAt }: Grant): boolean {
    return (jti !== null && this.#has(jti)) || this.#isBefore(application.id, issuedAt)
  }

  #has (jti: string): boolean {
    return this.#byId.has(`jti:${jti}`)
  }

  #isBefore (application: string, issuedAt: number): boolean {
    return issuedAt < Math.max(this.#byId.get('all')?.issuedBefore ?? 0, this.#byId.get(`application:${application}`)?.issuedBefore ?? 0)
  }
}
