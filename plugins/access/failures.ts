import type { FastifyInstance, FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify'
import fp from 'fastify-plugin'
import { ApiError } from '../../lib/http/api-error.js'
import { API_ERRORS, type ApiErrorName } from '../../schemas/error-table.js'

declare module 'fastify' {
  interface FastifyInstance { failures: ReturnType<typeof createFailures> }
}

/** The errors that a client meets when it guesses tokens, keys or paths. */
const FAILURES: ReadonlySet<unknown> = new Set(([
  'clientTokenMissing', 'clientTokenInvalid', 'accessTokenMissing', 'accessTokenInvalid', 'adminTokenInvalid',
  'accessKeyInvalid'
] satisfies ApiErrorName[]).map(name => API_ERRORS[name].code))
/** The name under which failures are counted. */
const COUNTER = 'failures'

function createFailures ({ config: { FAILURES_PER_MINUTE: limit }, quotas }: FastifyInstance) {
  /** Null for an IP that has not failed too often. */
  function refusal (request: FastifyRequest): ApiError | null {
    if (limit === 0) return null
    const { count, endsInMs } = quotas.addressHits(COUNTER, request)
    if (count < limit) return null
    return new ApiError('tooManyRequests', {
      message: 'Too many requests of this IP have failed: wait for as many seconds as "Retry-After" says.',
      retryAfter: Math.ceil(endsInMs / 1000)
    })
  }

  return {
    count (request: FastifyRequest): void {
      if (limit > 0) quotas.hitAddress(COUNTER, request)
    },

    /** A hook for whatever is guessed: beyond the limit not even a right guess is looked at. */
    guard (request: FastifyRequest, _reply: FastifyReply, done: HookHandlerDoneFunction): void {
      done(refusal(request) ?? undefined)
    },

    /**
     * What a failure is answered where right guesses are still taken: with its error, or, beyond the limit, as any
     * other.
     */
    answer (request: FastifyRequest, error: ApiError): ApiError {
      return refusal(request) ?? error
    }
  }
}

/** Owns `fastify.failures`: counts the requests of an IP that fail, and limits how many may in a minute. */
async function failures (fastify: FastifyInstance): Promise<void> {
  const failures = createFailures(fastify)
  fastify.decorate('failures', failures)
  fastify.addHook('onError', async (request, _reply, error) => {
    if (FAILURES.has(error.code)) failures.count(request)
  })
  fastify.addHook('onRequest', (request, reply, done) => {
    if (!request.is404) return done()
    failures.guard(request, reply, error => {
      if (error === undefined) failures.count(request)
      done(error)
    })
  })
}

export default fp(failures, { name: 'failures', dependencies: ['config', 'errors', 'rate-limit'] })
