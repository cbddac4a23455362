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
  const rules = new WeakMap<Application, ItemPolicy>()

  function rulesOf ({ application }: IntakeContext): ItemPolicy {
    let found = rules.get(application)
    if (found === undefined) {
      found = new ItemPolicy(application, () => observer.onCollapsed(application.id, 'unknown-dimension', 1))
      rules.set(application, found)
    }
    return found
  }

  return {
    /**
     * How to read the data points of one request.
     * @param sentAt what the body says; undefined: nothing
     * @throws ApiError when it is no time
     */
    datumReader (context: IntakeContext, sentAt: unknown): Reading<StoredDatum> {
      const now = Date.now()
      return datumReader({ now, skew: requireClockSkew(sentAt, now), rule: rulesOf(context).forDatums(context.clientInfo) })
    },

    /** How to read the log events of one request, likewise. */
    logEventReader (context: IntakeContext, sentAt: unknown): Reading<StoredLogEvent> {
      const now = Date.now()
      return logEventReader({ now, skew: requireClockSkew(sentAt, now), rule: rulesOf(context).forLogEvents(context.clientInfo) })
    }
  }
}

/** Owns `fastify.itemPolicy`: how items become what is stored, by the clock of the server and the rules of their application. */
async function itemPolicy (fastify: FastifyInstance): Promise<void> {
  fastify.decorate('itemPolicy', createItemPolicy(fastify))
}

export default fp(itemPolicy, { name: 'item-policy', dependencies: ['prometheus'] })
