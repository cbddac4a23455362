import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { monotonicNow, unixNow } from '../../lib/clock.js'
import { DEFAULT_BACKOFF } from '../../lib/resilience/backoff.js'
import { createForwarder, type Forwarder, type ForwarderObserver } from '../../lib/delivery/forwarder.js'
import type { Sink, SinkCall } from '../../lib/delivery/sinks/sink.js'
import type { Kind } from '../../schemas/kinds.js'
import type { MonotonicMs } from '../../schemas/common.js'
import type { FailingPart } from '../../schemas/health.js'

/** The forwarders have at least this time, when SHUTDOWN_GRACE_MS is no shorter. */
const MIN_GRACE_MS = 2_000

declare module 'fastify' {
  interface FastifyInstance { forwarding: ReturnType<typeof createForwarding> }
}

/** Counts the calls that AWS has taken as usage, too, as AWS bills them. */
function withUsage ({ prometheus, usage }: FastifyInstance): ForwarderObserver {
  return {
    ...prometheus,
    onCall (call, application) {
      prometheus.onCall(call, application)
      if (call.failure === null) usage.recordCall(call.api, application)
    }
  }
}

/** The texts of others that a delivery brings are logged, shown and stored. */
function withoutSecrets (sink: Sink, strike: (text: string) => string): Sink {
  return {
    kind: sink.kind,
    async deliver (lease, context) {
      const { settlement, failure, receipts } = await sink.deliver(lease, context)
      const struck = settlement.deadLetters?.map(letter => ({ ...letter, message: strike(letter.message) }))
      return {
        settlement: struck === undefined ? settlement : { ...settlement, deadLetters: struck },
        failure: failure === null ? null : { ...failure, message: strike(failure.message) },
        receipts: receipts.map(receipt => receipt.rejected.length === 0
          ? receipt
          : { ...receipt, rejected: receipt.rejected.map(item => ({ ...item, message: strike(item.message) })) })
      }
    }
  }
}

function createForwarding (fastify: FastifyInstance) {
  const { config, spool, log, receipts, strikeSecrets } = fastify
  const observer = withUsage(fastify)
  const forwarders = new Map<Kind, Forwarder>()

  return {
    /** Counts a call to AWS, for Prometheus and for the usage. */
    onCall: (call: SinkCall) => observer.onCall(call, undefined),

    /** Forwards the items that wait for this sink, from when the app is ready. */
    add (sink: Sink): void {
      forwarders.set(sink.kind, createForwarder({
        spool,
        sink: withoutSecrets(sink, strikeSecrets),
        concurrency: config.FORWARDER_CONCURRENCY,
        leaseMs: config.LEASE_MS,
        lingerMs: config.FLUSH_INTERVAL_MS,
        backoff: DEFAULT_BACKOFF,
        log,
        observer,
        receipts,
        now: unixNow,
        monotonicNow,
        random: Math.random
      }))
    },

    start (): void {
      for (const forwarder of forwarders.values()) forwarder.start()
    },

    /** Side by side, so that each has the whole grace. */
    async stop (graceMs: number): Promise<void> {
      await Promise.all(Array.from(forwarders.values(), forwarder => forwarder.stop(graceMs)))
    },

    /** The kinds whose deliveries fail. A metering platform that fails never takes the gateway out of service. */
    failing (): FailingPart[] {
      return [...forwarders].flatMap(([part, forwarder]) => {
        const { failing } = forwarder.health()
        if (failing === null) return []
        const { class: health, destination, message } = failing
        return [{
          part,
          class: health,
          message: `${destination}: ${message}`,
          partial: failing.partial || part === 'metering'
        }]
      })
    }
  }
}

/** Owns `fastify.forwarding`: starts the forwarders when the app is ready, and stops them when intake has ended. */
async function forwarding (fastify: FastifyInstance): Promise<void> {
  const forwarding = createForwarding(fastify)
  fastify.decorate('forwarding', forwarding)
  fastify.addHook('onReady', async () => {
    if (fastify.config.FORWARDER !== 'off') forwarding.start()
  })
  let closingAt: MonotonicMs = monotonicNow()
  fastify.addHook('preClose', async () => { closingAt = monotonicNow() })
  fastify.addHook('onClose', async () => {
    const { SHUTDOWN_GRACE_MS } = fastify.config
    // The requests under way have taken their part of it.
    const leftMs = closingAt + SHUTDOWN_GRACE_MS - monotonicNow()
    await forwarding.stop(Math.max(leftMs, Math.min(SHUTDOWN_GRACE_MS, MIN_GRACE_MS)))
  })
}

export default fp(forwarding, {
  name: 'forwarding',
  dependencies: ['config', 'spool', 'receipts', 'delivery-thread', 'platform', 'prometheus', 'usage', 'secrets']
})
