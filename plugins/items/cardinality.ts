import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { IntakeContext } from '../../lib/intake/intake.js'
import type { StoredDatum } from '../../lib/spool/record.js'
import { RedisSeriesTable } from '../../lib/policy/cardinality/redis-series-table.js'
import { SeriesLimit } from '../../lib/policy/cardinality/cardinality-limiter.js'
import { LocalSeriesTable } from '../../lib/policy/cardinality/series-table.js'

declare module 'fastify' {
  interface FastifyInstance { seriesLimit: ReturnType<typeof createSeriesLimit> }
}

function createSeriesLimit ({ config, redis, observer }: FastifyInstance) {
  const { MAX_SERIES_PER_METRIC, MAX_METRICS_PER_NAMESPACE: metrics } = config
  const now = Date.now
  const limit = new SeriesLimit({
    table: redis === undefined ? new LocalSeriesTable() : new RedisSeriesTable({ redis, prefix: config.REDIS_PREFIX, now }),
    now,
    onFolded: observer.onFolded
  })

  return {
    /** Replaces the data points, in the array, that are beyond the limits of their application; no promise when all are known. */
    fold ({ identity }: IntakeContext, namespace: string, datums: StoredDatum[]): void | Promise<void> {
      if (identity === undefined || identity === null) return
      const { id, maxSeriesPerMetric: series = MAX_SERIES_PER_METRIC } = identity.application
      if (metrics > 0 || series > 0) return limit.fold(id, namespace, { metrics, series }, datums)
    }
  }
}

/** Owns `fastify.seriesLimit`: how many series an application can make, over all processes when they share a Redis. */
async function seriesLimit (fastify: FastifyInstance): Promise<void> {
  fastify.decorate('seriesLimit', createSeriesLimit(fastify))
}

export default fp(seriesLimit, { name: 'cardinality', dependencies: ['config', 'redis', 'observer'] })
