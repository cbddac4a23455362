import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type {
  AggregatorRegistry, Counter, CounterConfiguration, Gauge, GaugeConfiguration, Histogram, HistogramConfiguration,
  Registry
} from 'prom-client'
import type { ForwarderObserver } from '../../lib/delivery/forwarder.js'
import type { IntakeObserver } from '../../lib/intake/intake.js'
import {
  GatheredMetrics, serveMetrics, tellLastMetrics, type MetricJson
} from '../../lib/processes/gathered-metrics.js'
import type { WebProcesses } from '../../lib/processes/web-processes.js'
import type { CollapseCause } from '../../lib/policy/cardinality/cardinality-limiter.js'
import { KINDS, type Kind } from '../../schemas/kinds.js'

declare module 'fastify' {
  interface FastifyInstance { prometheus: Prometheus }
}

/** Counts what intake, policies and forwarders report. */
interface Observer extends ForwarderObserver, IntakeObserver {
  /** Data points whose name or dimensions became `__other__`; for an unknown dimension, the values that did. */
  onCollapsed (application: string, cause: CollapseCause | 'unknown-dimension', count: number): void
}

/** Makes the metrics that Prometheus reads, each name once; names are given without their prefix. */
interface MetricFactory {
  counter<Label extends string> (options: CounterConfiguration<Label>): Pick<Counter<Label>, 'inc' | 'labels'>
  gauge<Label extends string> (options: GaugeConfiguration<Label>): Pick<Gauge<Label>, 'set' | 'reset'>
  histogram<Label extends string> (options: HistogramConfiguration<Label>): Pick<Histogram<Label>, 'observe'>
}

interface Exposition {
  contentType: string
  scrape (): Promise<string>
}

interface Prometheus extends Observer, MetricFactory, Exposition {}

/** What a web process asks its primary for: the page with the metrics of all processes. */
const SCRAPE = 'scrape'
const PREFIX = 'cloudwatch_postman_'
const CALL_SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]
const DELAY_SECONDS = [0.1, 0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3_600, 14_400, 86_400]
const REQUEST_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30]
const FILL_RATIOS = [0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 1]

const silent = { inc () {}, set () {}, reset () {}, observe () {}, labels: () => silent }
const silentFactory: MetricFactory = { counter: () => silent, gauge: () => silent, histogram: () => silent }

function createObserver ({ counter, histogram }: MetricFactory): Observer {
  const byKind = ['kind'] as const
  const byReason = ['kind', 'reason'] as const
  const byApi = ['api'] as const
  const accepted = counter({ name: 'accepted_total', help: 'Items stored for delivery.', labelNames: byKind })
  const refused = counter({
    name: 'refused_total', help: 'Items refused before they were stored, by reason.', labelNames: byReason
  })
  const calls = counter({
    name: 'aws_calls_total', help: 'Calls to AWS by API action and outcome.', labelNames: ['api', 'outcome']
  })
  const callSeconds = histogram({
    name: 'aws_call_seconds',
    help: 'Latency of calls to AWS.',
    labelNames: byApi,
    buckets: CALL_SECONDS
  })
  const fillRatio = histogram({
    name: 'aws_call_fill_ratio',
    help: 'Share of the batch limit that a call used.',
    labelNames: byApi,
    buckets: FILL_RATIOS
  })
  const delivered = counter({ name: 'delivered_total', help: 'Items that CloudWatch has taken.', labelNames: byKind })
  const delaySeconds = histogram({
    name: 'delivery_delay_seconds',
    help: 'From the append of the oldest item of a batch to its delivery.',
    labelNames: byKind,
    buckets: DELAY_SECONDS
  })
  const rejected = counter({
    name: 'rejected_total', help: 'Items that CloudWatch has rejected, by reason.', labelNames: byReason
  })
  const deadLettered = counter({
    name: 'dead_lettered_total', help: 'Items kept as dead letters, by reason.', labelNames: byReason
  })
  const repeated = counter({
    name: 'repeated_total',
    help: 'Items that CloudWatch has taken under a lease that ran out, so that they are sent again.',
    labelNames: byKind
  })
  const retried = counter({
    name: 'retried_total',
    help: 'Items that will be sent again, by class of the failure.',
    labelNames: ['kind', 'class']
  })
  const collapsed = counter({
    name: 'folded_total',
    help: 'Data points folded into __other__, by application and cause.',
    labelNames: ['application', 'cause']
  })

  /** Counted by every request, so they are looked up once. */
  const acceptedOf = Object.fromEntries(
    KINDS.map(kind => [kind, accepted.labels(kind)])
  ) as Record<Kind, Counter.Internal>

  return {
    onAccepted: (kind, items) => acceptedOf[kind].inc(items),
    onInvalid: (kind, reason, items) => refused.inc({ kind, reason }, items),
    onCall ({ api, failure, durationMs, items, fill }) {
      calls.inc({ api, outcome: failure ?? 'ok' })
      callSeconds.observe({ api }, durationMs / 1000)
      if (items > 0) fillRatio.observe({ api }, fill)
    },
    onDelivered (kind, _destination, items, delayMs) {
      delivered.inc({ kind }, items)
      delaySeconds.observe({ kind }, delayMs / 1000)
    },
    onRejected: (kind, reason, items) => rejected.inc({ kind, reason }, items),
    onDeadLettered: (kind, reason, items) => deadLettered.inc({ kind, reason }, items),
    onRepeated: (kind, items) => repeated.inc({ kind }, items),
    onRetry: (kind, failure, items) => retried.inc({ kind, class: failure }, items),
    onCollapsed: (application, cause, count) => collapsed.inc({ application, cause }, count)
  }
}

/**
 * Gauges of the content of the spool, which all processes of the store share.
 * @returns sets them to what the store answers
 */
function createSpoolGauges ({ config, spool }: FastifyInstance, { gauge }: MetricFactory): () => Promise<void> {
  const labelNames = ['kind'] as const
  const up = gauge({ name: 'spool_up', help: '1 while the store answers.' })
  const records = gauge({ name: 'spool_records', help: 'Records that wait in the spool.', labelNames })
  const items = gauge({ name: 'spool_items', help: 'Items that wait in the spool.', labelNames })
  const bytes = gauge({ name: 'spool_bytes', help: 'Bytes that wait in the spool.', labelNames })
  const used = gauge({ name: 'spool_used_ratio', help: 'Used part of SPOOL_MAX_BYTES.' })
  const oldest = gauge({ name: 'spool_oldest_seconds', help: 'Age of the oldest record in the spool.', labelNames })
  const ledger = gauge({
    name: 'ledger_items',
    help: 'The ledger of the store: accepted = delivered + rejected + dead_lettered + in_spool.',
    labelNames: ['outcome']
  })
  const keys = gauge({
    name: 'idempotency_key_bytes', help: 'Bytes kept for idempotency keys; they count against SPOOL_MAX_BYTES.'
  })
  const letters = gauge({ name: 'dead_letters', help: 'Dead letters kept.' })

  return async function askSpool () {
    up.set(0)
    let stored = 0
    for (const kind of KINDS) {
      const depth = await spool.depth(kind)
      records.set({ kind }, depth.records)
      items.set({ kind }, depth.items)
      bytes.set({ kind }, depth.bytes)
      oldest.set({ kind }, depth.oldestAgeMs / 1000)
      stored += depth.bytes
    }
    const { accepted, delivered, rejected, deadLettered, evicted, inSpool } = await spool.ledger()
    const rejectedItems = Object.values(rejected).reduce((sum, count) => sum + count, 0)
    const outcomes = {
      accepted,
      delivered,
      dead_lettered: deadLettered,
      evicted,
      in_spool: inSpool,
      rejected: rejectedItems
    }
    for (const [outcome, count] of Object.entries(outcomes)) ledger.set({ outcome }, count)
    const keyBytes = await spool.keyBytes()
    keys.set(keyBytes)
    used.set((stored + keyBytes) / config.SPOOL_MAX_BYTES)
    letters.set((await spool.deadLetters.size()).count)
    up.set(1)
  }
}

function timeRequests (fastify: FastifyInstance, { histogram }: MetricFactory): void {
  const seconds = histogram({
    name: 'http_request_seconds',
    help: 'Latency of HTTP requests.',
    labelNames: ['method', 'route', 'status'],
    buckets: REQUEST_SECONDS
  })
  fastify.addHook('onResponse', (request, reply, done) => {
    const { method, routeOptions: { url: route = 'none' } } = request
    seconds.observe({ method, route, status: reply.statusCode }, reply.elapsedTime / 1000)
    done()
  })
}

/** @returns makes the page with the metrics of the primary and of its web processes */
function gatherMetrics (
  web: WebProcesses, registry: Registry, { gauge }: MetricFactory, { aggregate }: typeof AggregatorRegistry
): () => Promise<string> {
  const listening = gauge({ name: 'web_processes', help: 'Processes that take requests, with WEB_CONCURRENCY.' })
  const sum = (metrics: MetricJson[][]): Registry => aggregate(metrics as object[])
  const gathered = new GatheredMetrics(async metrics => await sum(metrics).getMetricsAsJSON())
  web.onOpen(channel => gathered.follow(channel))
  return async () => {
    listening.set(web.listening)
    const others = await gathered.ask(web.channels)
    return await sum([await registry.getMetricsAsJSON(), ...others]).metrics()
  }
}

async function createMetrics (fastify: FastifyInstance): Promise<MetricFactory & Exposition> {
  if (fastify.config.ADMIN_TOKEN === undefined) {
    return { ...silentFactory, contentType: 'text/plain', scrape: async () => '' }
  }
  const { AggregatorRegistry, Counter, Gauge, Histogram, Registry, collectDefaultMetrics } = await import('prom-client')
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const named = <Options extends { name: string }> (options: Options) => ({
    ...options, name: PREFIX + options.name, registers: [registry]
  })
  const factory: MetricFactory = {
    counter: options => new Counter(named(options)),
    gauge: options => new Gauge(named(options)),
    histogram: options => new Histogram(named(options))
  }
  timeRequests(fastify, factory)
  const { processes } = fastify
  if (processes.role === 'web') {
    const metrics = async (): Promise<MetricJson[]> => await registry.getMetricsAsJSON()
    serveMetrics(processes.primary, metrics)
    fastify.addHook('onClose', async () => await tellLastMetrics(processes.primary, await metrics()).catch(() => {}))
    return { ...factory, contentType: registry.contentType, scrape: () => processes.primary.call(SCRAPE) }
  }
  const askSpool = createSpoolGauges(fastify, factory)
  const page = processes.role === 'primary'
    ? gatherMetrics(processes.web, registry, factory, AggregatorRegistry)
    : () => registry.metrics()
  const scrape = async (): Promise<string> => {
    // A store that is away shows as spool_up 0, and must not hide the rest.
    await askSpool().catch(() => {})
    return await page()
  }
  if (processes.role === 'primary') processes.web.onOpen(channel => channel.handle(SCRAPE, scrape))
  return { ...factory, contentType: registry.contentType, scrape }
}

/**
 * Owns `fastify.prometheus`: counters, gauges and histograms, and the page on which Prometheus reads them. Without
 * ADMIN_TOKEN nobody can read that page: nothing is counted, and prom-client is not loaded.
 */
async function prometheus (fastify: FastifyInstance): Promise<void> {
  const metrics = await createMetrics(fastify)
  fastify.decorate('prometheus', { ...metrics, ...createObserver(metrics) })
}

export default fp(prometheus, { name: 'prometheus', dependencies: ['config', 'processes', 'spool'] })
