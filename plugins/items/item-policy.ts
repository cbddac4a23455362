import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { readClockSkew } from '../../lib/items/clock-skew.js'
import { ApiError } from '../../lib/http/api-error.js'
import type { IntakeContext } from '../../lib/intake/intake-context.js'
import { datumReader, logEventReader, type Reading } from '../../lib/policy/item-reader.js'
import { ItemPolicy } from '../../lib/policy/item-policy.js'
import type { StoredDatum, StoredLogEvent } from '../../lib/items/item.js'
import type { Application } from '../../schemas/applications.js'

declare module 'fastify' {
  interface FastifyInstance { itemPolicy: ReturnType<typeof createItemPolicy> }
}

/** @throws ApiError */
function requireClockSkew (sentAt: unknown, now: number): number {
  const skew = readClockSkew(sentAt, now)
  if (skew === null) throw new ApiError('invalidRequest', { message: 'sentAt must be Unix milliseconds or ISO 8601.' })
  return skew
}

function createItemPolicy ({ prometheus: { observer } }: FastifyInstance) {
  /** An application that was read again is another object. */
  const policies = new WeakMap<Application, ItemPolicy>()

  function policyOf ({ application }: IntakeContext): ItemPolicy {
    let policy = policies.get(application)
    if (policy === undefined) {
      policy = new ItemPolicy(application, () => observer.onCollapsed(application.id, 'unknown-dimension', 1))
      policies.set(application, policy)
    }
    return policy
  }

  return {
    /**
     * The reader of the data points of one request.
     * @param sentAt the client's time, as the body states it; undefined when it does not
     * @throws ApiError when it is no time
     */
    datumReader (context: IntakeContext, sentAt: unknown): Reading<StoredDatum> {
      const now = Date.now()
      return datumReader({ now, skew: requireClockSkew(sentAt, now), policy: policyOf(context).forDatums(context.clientInfo) })
    },

    /** The reader of the log events of one request, likewise. */
    logEventReader (context: IntakeContext, sentAt: unknown): Reading<StoredLogEvent> {
      const now = Date.now()
      return logEventReader({ now, skew: requireClockSkew(sentAt, now), policy: policyOf(context).forLogEvents(context.clientInfo) })
    }
  }
}

/** Owns `fastify.itemPolicy`: reads items as they are stored, by the server's clock and their application's policy. */
async function itemPolicy (fastify: FastifyInstance): Promise<void> {
  fastify.decorate('itemPolicy', createItemPolicy(fastify))
}

export default fp(itemPolicy, { name: 'item-policy', dependencies: ['prometheus'] })
