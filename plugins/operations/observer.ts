import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { Counter } from 'prom-client'
import type { ForwarderObserver } from '../../lib/delivery/forwarder.js'
import type { IntakeObserver } from '../../lib/intake/intake.js'
import type { CollapseCause } from '../../lib/policy/cardinality/cardinality-limiter.js'
import { KINDS, type Kind } from '../../schemas/kinds.js'

declare module 'fastify' {
  interface FastifyInstance {
    observer: Observer
    /** Exists when ADMIN_TOKEN is set. */
    prometheus: { contentType: string, scrape: () => Promise<string> }
  }
}

interface FoldObserver {
  /** Data points whose name or dimensions became `__other__`; of an unknown dimension, its values. */
  onCollapsed (application: string, cause: CollapseCause | 'unknown-dimension', count: number): void
}

type Observer = ForwarderObserver & IntakeObserver & FoldObserver

const PREFIX = 'cloudwatch_postman_'
const CALL_SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]
const DELAY_SECONDS = [0.1, 0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3_600, 14_400, 86_400]
const REQUEST_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30]
const SHARES = [0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 1]

/** What intake and forwarders do, as Prometheus counts it. */
function createObserver ({ instruments }: FastifyInstance): Observer {
  const accepted = instruments.counter({ name: `${PREFIX}accepted_total`, help: 'Items stored for delivery.', labelNames: ['kind'] })
  const refused = instruments.counter({ name: `${PREFIX}refused_total`, help: 'Items refused before they were stored, by reason.', labelNames: ['kind', 'reason'] })
  const calls = instruments.counter({ name: `${PREFIX}aws_calls_total`, help: 'Calls to AWS by API action and outcome.', labelNames: ['api', 'outcome'] })
  const callSeconds = instruments.histogram({ name: `${PREFIX}aws_call_seconds`, help: 'Latency of calls to AWS.', labelNames: ['api'], buckets: CALL_SECONDS })
  const fill = instruments.histogram({ name: `${PREFIX}aws_call_fill_ratio`, help: 'Share of the batch limit that a call used.', labelNames: ['api'], buckets: SHARES })
  const delivered = instruments.counter({ name: `${PREFIX}delivered_total`, help: 'Items that CloudWatch has taken.', labelNames: ['kind'] })
  const delay = instruments.histogram({ name: `${PREFIX}delivery_delay_seconds`, help: 'From the append of the oldest item of a batch to its delivery.', labelNames: ['kind'], buckets: DELAY_SECONDS })
  const rejected = instruments.counter({ name: `${PREFIX}rejected_total`, help: 'Items that CloudWatch has rejected, by reason.', labelNames: ['kind', 'reason'] })
  const deadLettered = instruments.counter({ name: `${PREFIX}dead_lettered_total`, help: 'Items kept as dead letters, by reason.', labelNames: ['kind', 'reason'] })
  const retried = instruments.counter({ name: `${PREFIX}retried_total`, help: 'Items that will be sent again, by class of the failure.', labelNames: ['kind', 'class'] })

  const folded = instruments.counter({ name: `${PREFIX}folded_total`, help: 'Data points folded into __other__, by application and cause.', labelNames: ['application', 'cause'] })

  /** Counted by every request, so they are looked up once. */
  const acceptedOf = Object.fromEntries(KINDS.map(kind => [kind, accepted.labels(kind)])) as Record<Kind, Counter.Internal>

  return {
    onAccepted: (kind, items) => acceptedOf[kind].inc(items),
    onRefused: (kind, reason) => refused.inc({ kind, reason }),
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
    onRetry: (kind, failure, items) => retried.inc({ kind, class: failure }, items),
    onCollapsed: (application, cause, count) => folded.inc({ application, cause }, count)
  }
}

/**
 * What the store holds; shared by all processes of the store.
 * @returns asks the store
 */
function observeSpool ({ spool, instruments }: FastifyInstance): () => Promise<void> {
  const up = instruments.gauge({ name: `${PREFIX}spool_up`, help: '1 while the store answers.' })
  const records = instruments.gauge({ name: `${PREFIX}spool_records`, help: 'Records that wait in the spool.', labelNames: ['kind'] })
  const items = instruments.gauge({ name: `${PREFIX}spool_items`, help: 'Items that wait in the spool.', labelNames: ['kind'] })
  const bytes = instruments.gauge({ name: `${PREFIX}spool_bytes`, help: 'Bytes that wait in the spool.', labelNames: ['kind'] })
  const oldest = instruments.gauge({ name: `${PREFIX}spool_oldest_seconds`, help: 'Age of the oldest record in the spool.', labelNames: ['kind'] })
  const ledger = instruments.gauge({ name: `${PREFIX}ledger_items`, help: 'The ledger of the store: accepted = delivered + rejected + dead_lettered + in_spool.', labelNames: ['outcome'] })
  const letters = instruments.gauge({ name: `${PREFIX}dead_letters`, help: 'Dead letters kept.' })

  return async function ask () {
    up.set(0)
    for (const kind of KINDS) {
      const depth = await spool.depth(kind)
      records.set({ kind }, depth.records)
      items.set({ kind }, depth.items)
      bytes.set({ kind }, depth.bytes)
      oldest.set({ kind }, depth.oldestAgeMs / 1000)
    }
    const { accepted, delivered, rejected, deadLettered, evicted, inSpool } = await spool.ledger()
    const outcomes = { accepted, delivered, dead_lettered: deadLettered, evicted, in_spool: inSpool, rejected: Object.values(rejected).reduce((sum, count) => sum + count, 0) }
    for (const [outcome, count] of Object.entries(outcomes)) ledger.set({ outcome }, count)
    letters.set((await spool.deadLetters.size()).letters)
    up.set(1)
  }
}

/** How long requests take, by route. */
function observeRequests (fastify: FastifyInstance): void {
  const seconds = fastify.instruments.histogram({ name: `${PREFIX}http_request_seconds`, help: 'Latency of HTTP requests.', labelNames: ['method', 'route', 'status'], buckets: REQUEST_SECONDS })
  fastify.addHook('onResponse', (request, reply, done) => {
    seconds.observe({ method: request.method, route: request.routeOptions.url ?? 'none', status: reply.statusCode }, reply.elapsedTime / 1000)
    done()
  })
}

/** Owns `fastify.observer`, which counts, and `fastify.prometheus`, which tells. */
async function observer (fastify: FastifyInstance): Promise<void> {
  const { registry } = fastify
  fastify.decorate('observer', createObserver(fastify))
  if (registry === null) return
  observeRequests(fastify)
  const askSpool = observeSpool(fastify)
  fastify.decorate('prometheus', {
    contentType: registry.contentType,
    async scrape () {
      // A store that is away shows as spool_up 0, and must not hide the rest.
      await askSpool().catch(() => {})
      return await registry.metrics()
    }
  })
}

export default fp(observer, { name: 'observer', dependencies: ['instruments', 'spool'] })
