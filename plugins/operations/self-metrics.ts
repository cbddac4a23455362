import { PutMetricDataCommand } from '@aws-sdk/client-cloudwatch'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { callApi } from '../../lib/delivery/sinks/api-call.js'
import { answerWithin } from '../../lib/redis/ask.js'
import { PUT_METRIC_DATA as LIMIT } from '../../schemas/aws-limits.js'
import {
  SELF_METRICS, SELF_METRICS_DIMENSION, SELF_METRICS_NAMESPACE, type SelfMetric
} from '../../schemas/self-metrics.js'

declare module 'fastify' {
  interface FastifyInstance { selfMetrics: ReturnType<typeof createSelfMetrics> }
}

type Values = Partial<Record<SelfMetric, number>>

const PERIOD_MS = 60_000
const STORE_TIMEOUT_MS = 2_000
/** A call that takes longer would come after its minute. */
const CALL_TIMEOUT_MS = 10_000

function createSelfMetrics (fastify: FastifyInstance) {
  const { aws, config, forwarding, health, log, rateLimiters, spool, strikeSecrets } = fastify
  const closing = new AbortController()
  let hasFailed = false

  async function measureSpool (): Promise<Values> {
    const [{ bytes, oldestAgeMs }, keyBytes, { count }] = await answerWithin(
      STORE_TIMEOUT_MS, Promise.all([spool.depth(), spool.keyBytes(), spool.deadLetters.size()])
    )
    return {
      SpoolOldestAgeSeconds: oldestAgeMs / 1_000,
      SpoolUsedRatio: (bytes + keyBytes) / config.SPOOL_MAX_BYTES,
      DeadLetters: count
    }
  }

  /** Of a store that does not answer nothing is known but that readiness fails. */
  async function measure (): Promise<Values> {
    const [{ status }, ofSpool] = await Promise.all([health.check(), measureSpool().catch(() => ({}))])
    return { ...ofSpool, Failing: status === 'ok' ? 0 : 1 }
  }

  /** The first failure after a success is logged, as is the first success after it: the others say nothing new. */
  function report (failure: string | null): void {
    if (failure === null && hasFailed) log.info('the metrics of the gateway itself are published again')
    if (failure !== null && !hasFailed) {
      const fields = { failure: strikeSecrets(failure) }
      log.warn(fields, 'the metrics of the gateway itself cannot be published (SELF_METRICS)')
    }
    hasFailed = failure !== null
  }

  return {
    /** Publishes each metric once. Never throws. */
    async publish (): Promise<void> {
      const values = Object.entries(await measure()) as Array<[SelfMetric, number]>
      const Dimensions = [{ Name: SELF_METRICS_DIMENSION, Value: config.SELF_METRICS_GATEWAY }]
      const { failure } = await callApi({
        api: 'PutMetricData',
        destination: SELF_METRICS_NAMESPACE,
        items: values.length,
        fill: values.length / LIMIT.MAX_DATUMS,
        send: options => aws.cloudwatch.send(new PutMetricDataCommand({
          Namespace: SELF_METRICS_NAMESPACE,
          MetricData: values.map(([MetricName, Value]) => ({
            MetricName, Value, Unit: SELF_METRICS[MetricName], Dimensions
          }))
        }), options)
      }, rateLimiters.PutMetricData, {
        signal: AbortSignal.any([closing.signal, AbortSignal.timeout(CALL_TIMEOUT_MS)]),
        extend: async () => true,
        onCall: forwarding.onCall
      })
      if (!closing.signal.aborted) report(failure?.message ?? null)
    },

    /** Ends the call under way. */
    close (): void {
      closing.abort()
    }
  }
}

/** Publishes now and once a minute, until the process closes. */
function keepPublishing (fastify: FastifyInstance): void {
  const { selfMetrics } = fastify
  let publishing = Promise.resolve()
  let timer: NodeJS.Timeout | undefined
  const tick = (): void => { publishing = publishing.then(() => selfMetrics.publish()) }
  fastify.addHook('onReady', async () => {
    tick()
    timer = setInterval(tick, PERIOD_MS).unref()
  })
  fastify.addHook('onClose', async () => {
    clearInterval(timer)
    selfMetrics.close()
    await publishing
  })
}

/**
 * Owns `fastify.selfMetrics`: with SELF_METRICS=on, each process that forwards publishes the state of the spool to
 * CloudWatch. They go past the spool, so that no item of theirs is ever counted in it.
 */
async function selfMetrics (fastify: FastifyInstance): Promise<void> {
  const { config, processes } = fastify
  fastify.decorate('selfMetrics', createSelfMetrics(fastify))
  if (config.SELF_METRICS === 'on' && config.FORWARDER !== 'off' && processes.role !== 'web') keepPublishing(fastify)
}

export default fp(selfMetrics, {
  name: 'self-metrics',
  dependencies: ['config', 'processes', 'aws', 'spool', 'secrets', 'rate-limiters', 'forwarding', 'health']
})
