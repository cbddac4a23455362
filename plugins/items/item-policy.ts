import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { unixNow } from '../../lib/clock.js'
import { readClockSkew } from '../../lib/items/clock-skew.js'
import { ApiError } from '../../lib/http/api-error.js'
import type { IntakeContext } from '../../lib/intake/intake-context.js'
import { createEmfPolicy, type EmfContext, type EmfPolicy, type EmfSettings } from '../../lib/policy/emf/emf-policy.js'
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

/** Whether data points of this request may go into the namespace. */
function allowsNamespace (context: IntakeContext, namespace: string): boolean {
  try {
    context.requireScope('namespaces', namespace)
    return true
  } catch (error) {
    if (error instanceof ApiError) return false
    throw error
  }
}

/** The policies of one application. */
interface ApplicationPolicies {
  items: ItemPolicy
  emfSettings: EmfSettings
  /** Null when metrics in log events are allowed: they are judged by the request. */
  emf: EmfPolicy | null
}

function createItemPolicy ({ prometheus }: FastifyInstance) {
  const embedded = prometheus.counter({
    name: 'embedded_metrics_total',
    help: 'Log events that are embedded metrics (EMF), by application and treatment.',
    labelNames: ['application', 'treatment']
  })
  /** An application that was read again is another object. */
  const policies = new WeakMap<Application, ApplicationPolicies>()

  function policiesOf ({ application }: IntakeContext): ApplicationPolicies {
    let known = policies.get(application)
    if (known === undefined) {
      const { id, emf } = application
      const emfSettings: EmfSettings = {
        emf, onEmbeddedMetric: treatment => embedded.inc({ application: id, treatment })
      }
      known = {
        items: new ItemPolicy(application, () => prometheus.onCollapsed(id, 'unknown-dimension', 1)),
        emfSettings,
        emf: emf === 'allow' ? null : createEmfPolicy(emfSettings)
      }
      policies.set(application, known)
    }
    return known
  }

  return {
    /**
     * The reader of the data points of one request.
     * @param sentAt the client's time, as the body states it; undefined when it does not
     * @throws ApiError when it is no time
     */
    datumReader (context: IntakeContext, sentAt: unknown): Reading<StoredDatum> {
      const now = unixNow()
      return datumReader({
        now, skew: requireClockSkew(sentAt, now), policy: policiesOf(context).items.forDatums(context.clientInfo)
      })
    },

    /** The reader of the log events of one request, likewise. */
    logEventReader (context: IntakeContext, sentAt: unknown): Reading<StoredLogEvent> {
      const now = unixNow()
      const skew = requireClockSkew(sentAt, now)
      const { items, emfSettings, emf } = policiesOf(context)
      const emfContext = (): EmfContext => ({
        now,
        skew,
        allowsNamespace: namespace => allowsNamespace(context, namespace),
        dimensions: items.dimensionPolicy
      })
      return logEventReader({
        now,
        skew,
        policy: items.forLogEvents(context.clientInfo),
        emf: emf ?? createEmfPolicy(emfSettings, emfContext())
      })
    }
  }
}

/** Owns `fastify.itemPolicy`: reads items as they are stored, by the server's clock and their application's policy. */
async function itemPolicy (fastify: FastifyInstance): Promise<void> {
  fastify.decorate('itemPolicy', createItemPolicy(fastify))
}

export default fp(itemPolicy, { name: 'item-policy', dependencies: ['prometheus'] })
