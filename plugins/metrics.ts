import { randomInt } from 'node:crypto'
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

const TEST_NAMESPACE = 'cloudwatch-postman'
const TEST_METRIC = 'HELLO_WORLD'
const TEST_VALUES = 100
const TEST_WAIT_SECONDS = 10

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
    accept,

    /**
     * Sends the test metric and waits for CloudWatch.
     * @returns AWS's id of the call
     * @throws ApiError notDelivered when CloudWatch does not answer in time
     */
    async hello (requestId: string): Promise<string> {
      const params = { Namespace: TEST_NAMESPACE, MetricData: [{ MetricName: TEST_METRIC, Value: randomInt(TEST_VALUES), Unit: 'Count' }] }
      const { answer, delivered } = await accept({ params }, { requestId, application: TEST_NAMESPACE, wait: TEST_WAIT_SECONDS })
      if (!delivered || answer.rejected.length > 0) throw new ApiError('notDelivered')
      return answer.ResponseMetadata.RequestId
    }
  }
}

/** Owns `fastify.metrics`: takes data points in, and forwards them to CloudWatch. */
async function metrics (fastify: FastifyInstance): Promise<void> {
  fastify.decorate('metrics', createMetrics(fastify))
  fastify.forwarding.add(fastify.sinks.metrics)
}

export default fp(metrics, { name: 'metrics', dependencies: ['intake', 'item-policy', 'cardinality', 'usage', 'delivery-thread', 'forwarding'] })
