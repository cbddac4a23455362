import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { requireScope } from '../lib/access/scope.js'
import { ApiError } from '../lib/http/api-error.js'
import type { IntakeContext, IntakeResult } from '../lib/intake/intake.js'
import { namespaceError } from '../lib/items/names.js'
import { encodeMetricBody, writeDatum } from '../lib/spool/record.js'
import type { MetricEnvelope } from '../schemas/metric.js'

declare module 'fastify' {
  interface FastifyInstance { metrics: ReturnType<typeof createMetrics> }
}

function createMetrics ({ intake, itemPolicy, cardinality, usage }: FastifyInstance) {
  function accept ({ params, sentAt, accessToken }: MetricEnvelope, context: IntakeContext): Promise<IntakeResult> {
    const { Namespace, MetricData } = params
    const rule = namespaceError(Namespace)
    if (rule !== null) throw new ApiError('invalidRequest', { message: `params.Namespace ${rule}.` })
    const { identity = null, bodyText = null } = context
    requireScope(identity, 'namespaces', Namespace)
    const { read, receivedAt } = itemPolicy.datumReader(context, sentAt)
    return intake.accept({
      kind: 'metrics',
      destination: Namespace,
      items: MetricData,
      read,
      prepare: datums => cardinality.collapse(context, Namespace, datums),
      measure: writeDatum,
      encodeAsCame (datums) {
        // A token is never stored.
        if (bodyText === null || receivedAt === null || accessToken !== undefined) return null
        const isFolded = datums.some((datum, index) => datum !== MetricData[index])
        return isFolded ? null : encodeMetricBody(bodyText, datums.length, receivedAt)
      },
      onStored (datums, bytes) {
        if (identity === null) return
        usage.record(identity.application.id, 'metrics', datums.length, bytes)
        usage.recordSeries(identity.application.id, Namespace, datums)
      }
    }, context)
  }

  return {
    /**
     * Stores the data points of one request.
     * @throws ApiError
     */
    accept
  }
}

/** Owns `fastify.metrics`: takes data points in, and forwards them to CloudWatch. */
async function metrics (fastify: FastifyInstance): Promise<void> {
  fastify.decorate('metrics', createMetrics(fastify))
  fastify.forwarding.add(fastify.sinks.metrics)
}

export default fp(metrics, { name: 'metrics', dependencies: ['intake', 'item-policy', 'cardinality', 'usage', 'delivery-thread', 'forwarding'] })
