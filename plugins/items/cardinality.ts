import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { monotonicNow, unixNow } from '../../lib/clock.js'
import type { IntakeContext } from '../../lib/intake/intake-context.js'
import type { StoredDatum } from '../../lib/items/item.js'
import { RedisSeriesTable } from '../../lib/policy/cardinality/redis-series-table.js'
import { CardinalityLimiter } from '../../lib/policy/cardinality/cardinality-limiter.js'
import { RemoteSeriesTable, serveSeriesTable } from '../../lib/policy/cardinality/remote-series-table.js'
import { LocalSeriesTable, type SeriesTable } from '../../lib/policy/cardinality/series-table.js'

declare module 'fastify' {
  interface FastifyInstance { cardinality: ReturnType<typeof createCardinality> }
}

function createTable ({ config, processes, redis }: FastifyInstance): SeriesTable {
  if (redis !== undefined) return new RedisSeriesTable({ redis, prefix: config.REDIS_PREFIX, now: monotonicNow })
  if (processes.role === 'web') return new RemoteSeriesTable(processes.primary)
  const table = new LocalSeriesTable()
  if (processes.role === 'primary') processes.web.onOpen(channel => serveSeriesTable(channel, table))
  return table
}

function createCardinality (fastify: FastifyInstance) {
  const { config, prometheus } = fastify
  const { MAX_SERIES_PER_METRIC, MAX_METRICS_PER_NAMESPACE: metrics } = config
  const limiter = new CardinalityLimiter({
    table: createTable(fastify),
    now: unixNow,
    onCollapsed: prometheus.onCollapsed
  })

  return {
    /** Replaces the data points beyond the limits of their application; no promise when all their series are known. */
    collapse ({ application }: IntakeContext, namespace: string, datums: StoredDatum[]): void | Promise<void> {
      const { id, maxSeriesPerMetric: series = MAX_SERIES_PER_METRIC } = application
      if (metrics > 0 || series > 0) return limiter.collapse(id, namespace, { metrics, series }, datums)
    }
  }
}

/** Owns `fastify.cardinality`: limits the series of an application, over all processes of a primary or of a Redis. */
async function cardinality (fastify: FastifyInstance): Promise<void> {
  fastify.decorate('cardinality', createCardinality(fastify))
}

export default fp(cardinality, { name: 'cardinality', dependencies: ['config', 'processes', 'redis', 'prometheus'] })
