import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { Counter, CounterConfiguration, Gauge, GaugeConfiguration, Histogram, HistogramConfiguration, Registry } from 'prom-client'

declare module 'fastify' {
  interface FastifyInstance {
    instruments: Instruments
    /** Null without ADMIN_TOKEN. */
    registry: Registry | null
  }
}

/** Makes what Prometheus reads; each name once. */
interface Instruments {
  counter<Label extends string> (options: CounterConfiguration<Label>): Pick<Counter<Label>, 'inc' | 'labels'>
  gauge<Label extends string> (options: GaugeConfiguration<Label>): Pick<Gauge<Label>, 'set' | 'reset'>
  histogram<Label extends string> (options: HistogramConfiguration<Label>): Pick<Histogram<Label>, 'observe'>
}

const silent = { inc () {}, set () {}, reset () {}, observe () {}, labels: () => silent }
const silentInstruments: Instruments = { counter: () => silent, gauge: () => silent, histogram: () => silent }

function createInstruments ({ Counter, Gauge, Histogram }: typeof import('prom-client'), registry: Registry): Instruments {
  const registers = [registry]
  return {
    counter: options => new Counter({ registers, ...options }),
    gauge: options => new Gauge({ registers, ...options }),
    histogram: options => new Histogram({ registers, ...options })
  }
}

/**
 * Owns `fastify.instruments` and the `fastify.registry` of what they count. Without ADMIN_TOKEN nobody can read that:
 * nothing is counted, and prom-client is not loaded.
 */
async function instruments (fastify: FastifyInstance): Promise<void> {
  if (fastify.config.ADMIN_TOKEN === undefined) {
    fastify.decorate('instruments', silentInstruments)
    fastify.decorate('registry', null)
    return
  }
  const prometheus = await import('prom-client')
  const registry = new prometheus.Registry()
  prometheus.collectDefaultMetrics({ register: registry })
  fastify.decorate('instruments', createInstruments(prometheus, registry))
  fastify.decorate('registry', registry)
}

export default fp(instruments, { name: 'instruments', dependencies: ['config'] })
