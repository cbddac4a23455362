import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client'
import type { ForwarderObserver } from '../lib/forwarder.js'

declare module 'fastify' {
  interface FastifyInstance {
    observer: ForwarderObserver
    registry: Registry
  }
}

const PREFIX = 'cloudwatch_postman_'
const CALL_SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]
const DELAY_SECONDS = [0.1, 0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3_600, 14_400, 86_400]
const SHARES = [0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 1]

/** What the forwarders do, as Prometheus counts it. */
function createObserver (registry: Registry): ForwarderObserver {
  const registers = [registry]
  const calls = new Counter({ registers, name: `${PREFIX}aws_calls_total`, help: 'Calls to AWS by API action and outcome.', labelNames: ['api', 'outcome'] })
  const callSeconds = new Histogram({ registers, name: `${PREFIX}aws_call_seconds`, help: 'Latency of calls to AWS.', labelNames: ['api'], buckets: CALL_SECONDS })
  const fill = new Histogram({ registers, name: `${PREFIX}aws_call_fill_ratio`, help: 'Share of the batch limit that a call used.', labelNames: ['api'], buckets: SHARES })
  const delivered = new Counter({ registers, name: `${PREFIX}delivered_total`, help: 'Items that CloudWatch has taken.', labelNames: ['kind'] })
  const delay = new Histogram({ registers, name: `${PREFIX}delivery_delay_seconds`, help: 'From the append of the oldest item of a batch to its delivery.', labelNames: ['kind'], buckets: DELAY_SECONDS })
  const rejected = new Counter({ registers, name: `${PREFIX}rejected_total`, help: 'Items that CloudWatch has rejected, by reason.', labelNames: ['kind', 'reason'] })
  const deadLettered = new Counter({ registers, name: `${PREFIX}dead_lettered_total`, help: 'Items kept as dead letters, by reason.', labelNames: ['kind', 'reason'] })
  const retried = new Counter({ registers, name: `${PREFIX}retried_total`, help: 'Items that will be sent again, by class of the failure.', labelNames: ['kind', 'class'] })

  return {
    onCall ({ api, failure, durationMs, items, fill: share }) {
      calls.inc({ api, outcome: failure ?? 'ok' })
      callSeconds.observe({ api }, durationMs / 1000)
      if (items > 0) fill.observe({ api }, share)
    },
    onDelivered (kind, _destination, items, delayMs) {
      delivered.inc({ kind }, items)
      delay.observe({ kind }, delayMs / 1000)
    },
    onRejected: (kind, reason, items) => rejected.inc({ kind, reason }, items),
    onDeadLettered: (kind, reason, items) => deadLettered.inc({ kind, reason }, items),
    onRetry: (kind, failure, items) => retried.inc({ kind, class: failure }, items)
  }
}

/** What the spool holds, asked for when Prometheus asks. */
function observeSpool (fastify: FastifyInstance): void {
  const registers = [fastify.registry]
  const depth = new Gauge({ registers, name: `${PREFIX}spool_records`, help: 'Records that wait in the spool.', labelNames: ['kind'] })
  const items = new Gauge({ registers, name: `${PREFIX}spool_items`, help: 'Items that wait in the spool.', labelNames: ['kind'] })
  const bytes = new Gauge({ registers, name: `${PREFIX}spool_bytes`, help: 'Bytes that wait in the spool.', labelNames: ['kind'] })
  const age = new Gauge({
    registers,
    name: `${PREFIX}spool_oldest_seconds`,
    help: 'Age of the oldest record in the spool.',
    labelNames: ['kind'],
    async collect () {
      for (const kind of ['metrics', 'logs', 'metering'] as const) {
        const now = await fastify.spool.depth(kind).catch(() => null)
        if (now === null) continue
        depth.set({ kind }, now.records)
        items.set({ kind }, now.items)
        bytes.set({ kind }, now.bytes)
        age.set({ kind }, now.oldestAgeMs / 1000)
      }
    }
  })
}

/** Owns `fastify.registry` and `fastify.observer`: what Prometheus reads. */
async function observer (fastify: FastifyInstance): Promise<void> {
  const registry = new Registry()
  fastify.decorate('registry', registry)
  fastify.decorate('observer', createObserver(registry))
  if (fastify.config.ADMIN_TOKEN === undefined) return
  collectDefaultMetrics({ register: registry })
  observeSpool(fastify)
}

export default fp(observer, { name: 'observer', dependencies: ['config', 'spool'] })
