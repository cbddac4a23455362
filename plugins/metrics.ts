import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { IntakeContext } from '../lib/intake/intake-context.js'
import type { IntakeResult } from '../lib/intake/intake.js'
import { MetricsIntake } from '../lib/intake/metrics-intake.js'
import type { MetricEnvelope } from '../schemas/metric.js'

declare module 'fastify' {
  interface FastifyInstance { metrics: ReturnType<typeof createMetrics> }
}

function createMetrics ({ intake, itemPolicy, cardinality, usage }: FastifyInstance) {
  const metrics = new MetricsIntake({
    readerFor: itemPolicy.datumReader,
    collapse: cardinality.collapse,
    record (applicationId, namespace, datums, bytes) {
      usage.record(applicationId, 'metrics', datums.length, bytes)
      usage.recordSeries(applicationId, namespace, datums)
    },
    recordRefused: (applicationId, items) => usage.recordRefused(applicationId, 'metrics', items)
  })

  return {
    /**
     * Stores the data points of one request.
     * @throws ApiError
     */
    accept: (request: MetricEnvelope, context: IntakeContext): Promise<IntakeResult> =>
      intake.accept(metrics, request, context)
  }
}

/** Owns `fastify.metrics`: takes data points in, and forwards them to CloudWatch. */
async function metrics (fastify: FastifyInstance): Promise<void> {
  fastify.decorate('metrics', createMetrics(fastify))
  fastify.forwarding.add(fastify.sinks.metrics)
}

export default fp(metrics, {
  name: 'metrics', dependencies: ['intake', 'item-policy', 'cardinality', 'usage', 'delivery-thread', 'forwarding']
})
