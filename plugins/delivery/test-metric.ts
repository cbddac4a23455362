import { randomInt } from 'node:crypto'
import { PutMetricDataCommand } from '@aws-sdk/client-cloudwatch'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { callApi, type CallContext } from '../../lib/delivery/sinks/api-call.js'
import { ApiError } from '../../lib/http/api-error.js'
import type { Failure } from '../../lib/resilience/failure.js'
import { PUT_METRIC_DATA as LIMIT } from '../../schemas/aws-limits.js'
import { TEST_METRIC_NAMESPACE as NAMESPACE } from '../../schemas/test-metric.js'

declare module 'fastify' {
  interface FastifyInstance { testMetric: ReturnType<typeof createTestMetric> }
}

const METRIC = 'HELLO_WORLD'
const VALUES = 100
/** The longest that the caller of GET /test waits. */
const MAX_WAIT_MS = 10_000
const TIMEOUTS: ReadonlySet<string> = new Set(['TimeoutError', 'AbortError', 'ETIMEDOUT'])

/** Tells anybody the class of the error, and nothing of its message: that names accounts and roles. */
function toApiError ({ name }: Failure): ApiError {
  if (name === undefined) return new ApiError('awsFailed')
  return TIMEOUTS.has(name)
    ? new ApiError('awsTimeout')
    : new ApiError('awsFailed', { message: `The call to CloudWatch failed: ${name}.` })
}

function createTestMetric ({ aws, config, forwarding, rateLimiters }: FastifyInstance) {
  const timeoutMs = Math.min(config.AWS_REQUEST_TIMEOUT_MS, MAX_WAIT_MS)
  return {
    /**
     * Sends the test metric to CloudWatch, in one call that is never repeated.
     * @returns AWS's id of the call, when its answer has one
     * @throws ApiError awsFailed, awsTimeout
     */
    async send (): Promise<string | undefined> {
      const context: CallContext = {
        signal: AbortSignal.timeout(timeoutMs), extend: async () => true, onCall: forwarding.onCall
      }
      const { output, failure } = await callApi({
        api: 'PutMetricData',
        destination: NAMESPACE,
        items: 1,
        fill: 1 / LIMIT.MAX_DATUMS,
        send: options => aws.cloudwatch.send(new PutMetricDataCommand({
          Namespace: NAMESPACE,
          MetricData: [{ MetricName: METRIC, Value: randomInt(VALUES), Unit: 'Count' }]
        }), options)
      }, rateLimiters.PutMetricData, context)
      if (failure !== null) throw toApiError(failure)
      return output.$metadata.requestId
    }
  }
}

/** Owns `fastify.testMetric`: the metric that shows whether this process can reach CloudWatch. */
async function testMetric (fastify: FastifyInstance): Promise<void> {
  fastify.decorate('testMetric', createTestMetric(fastify))
}

export default fp(testMetric, { name: 'test-metric', dependencies: ['config', 'aws', 'rate-limiters', 'forwarding'] })
