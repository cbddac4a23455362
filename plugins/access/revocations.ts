import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { Revocations, toRevocation, type Revocation, type RevocationRequest } from '../../lib/access/revocations.js'
import { ApiError } from '../../lib/http/api-error.js'
import type { StateStore } from '../../lib/state/store.js'
import type { RevocationSummary } from '../../schemas/revocations.js'

declare module 'fastify' {
  interface FastifyInstance { revocations: ReturnType<typeof createRevocations> }
}

/** How soon a revocation is known to a process that its message has not reached. */
const REFRESH_MS = 500
const RETRY_AFTER_SECONDS = 5

function time (ms: number): string {
  return new Date(ms).toISOString()
}

function summarize ({ jti, application, issuedBefore, revokedAt, expiresAt }: Revocation): RevocationSummary {
  return {
    ...(jti === undefined ? {} : { jti }),
    ...(application === undefined ? {} : { application }),
    ...(issuedBefore === undefined ? {} : { issuedBefore: time(issuedBefore) }),
    revokedAt: time(revokedAt),
    expiresAt: time(expiresAt)
  }
}

function createRevocations (store: StateStore, known: Revocations) {
  return {
    hasAccessToken: known.hasAccessToken.bind(known),
    hasClientToken: known.hasClientToken.bind(known),

    /** @throws ApiError */
    async revoke (request: RevocationRequest): Promise<RevocationSummary> {
      const revocation = toRevocation(request, Date.now())
      known.add(revocation)
      try {
        await store.revoke(revocation)
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

/** Listens for revocations, and looks for those whose message was lost. What is known stays in force while the store is away. */
function keepKnown (fastify: FastifyInstance, known: Revocations): () => Promise<void> {
  const { state: store } = fastify
  let version = -1
  store.onRevoked(revocation => known.add(revocation))

  async function refresh (): Promise<void> {
    const current = await store.revocationsVersion()
    if (current === version) return
    for (const revocation of await store.revocations()) known.add(revocation)
    version = current
  }

  const timer = setInterval(() => {
    known.forget()
    refresh().catch(() => {})
  }, REFRESH_MS).unref()
  fastify.addHook('onClose', async () => clearInterval(timer))
  return refresh
}

/** Owns `fastify.revocations`: which tokens are no longer taken, in every process. */
async function revocations (fastify: FastifyInstance): Promise<void> {
  const known = new Revocations(Date.now)
  await keepKnown(fastify, known)()
  fastify.decorate('revocations', createRevocations(fastify.state, known))
}

export default fp(revocations, { name: 'revocations', dependencies: ['state', 'errors'] })
