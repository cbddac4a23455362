import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { unixNow } from '../../lib/clock.js'
import { neededAtStart } from '../../lib/configuration/needed-at-start.js'
import { Revocations, toRevocation, type Revocation } from '../../lib/access/revocations.js'
import { ApiError } from '../../lib/http/api-error.js'
import { StateStoreError, type VersionedSet } from '../../lib/state/store.js'
import type { UnixMs } from '../../schemas/common.js'
import type { RevocationRequest, RevocationSummary } from '../../schemas/revocations.js'

declare module 'fastify' {
  interface FastifyInstance { revocations: ReturnType<typeof createRevocations> }
}

/** Their name in the state store; of two for the same tokens the one with the later `issuedBefore` counts. */
const SET = 'revocations'
/** Milliseconds after which a process knows of a revocation whose message it missed. */
const REFRESH_MS = 500
const RETRY_AFTER_SECONDS = 5

function toIso (time: UnixMs): string {
  return new Date(time).toISOString()
}

function summarize ({ jti, application, issuedBefore, revokedAt, expiresAt }: Revocation): RevocationSummary {
  return {
    ...(jti === undefined ? {} : { jti }),
    ...(application === undefined ? {} : { application }),
    ...(issuedBefore === undefined ? {} : { issuedBefore: toIso(issuedBefore) }),
    revokedAt: toIso(revokedAt),
    expiresAt: toIso(expiresAt)
  }
}

function createRevocations (stored: VersionedSet<Revocation>, known: Revocations) {
  return {
    hasAccessToken: known.hasAccessToken.bind(known),
    hasClientToken: known.hasClientToken.bind(known),

    /** @throws ApiError */
    async revoke (request: RevocationRequest): Promise<RevocationSummary> {
      const revocation = toRevocation(request, unixNow())
      known.add(revocation)
      try {
        await stored.put(revocation)
      } catch {
        // This process alone refuses the tokens; the others have to be told again.
        throw new ApiError('spoolUnavailable', { retryAfter: RETRY_AFTER_SECONDS })
      }
      return summarize(revocation)
    },

    list (): { revocations: RevocationSummary[] } {
      return { revocations: known.list().map(summarize) }
    }
  }
}

/**
 * Takes over the revocations of every process: hears of each, and reads all of them when the version tells of one that
 * was missed. The revocations already known stay in force while the store cannot be reached.
 */
async function follow (fastify: FastifyInstance, stored: VersionedSet<Revocation>, known: Revocations): Promise<void> {
  let version = -1

  async function refresh (): Promise<void> {
    const current = await stored.version()
    if (current === version) return
    for (const revocation of await stored.list()) known.add(revocation)
    version = current
  }

  await stored.subscribe(revocation => known.add(revocation))
  await refresh()
  const timer = setInterval(() => {
    known.forget()
    refresh().catch(() => {})
  }, REFRESH_MS).unref()
  fastify.addHook('onClose', async () => clearInterval(timer))
}

/** Owns `fastify.revocations`: the tokens that no process accepts any more. */
async function revocations (fastify: FastifyInstance): Promise<void> {
  const stored = fastify.state.versionedSet<Revocation>(SET, 'issuedBefore')
  const known = new Revocations(unixNow)
  await neededAtStart(follow(fastify, stored, known), StateStoreError)
  fastify.decorate('revocations', createRevocations(stored, known))
}

export default fp(revocations, { name: 'revocations', dependencies: ['state', 'errors'] })
