/** What a thread of the tests runs in place of the sinks of AWS. */
import { parentPort, workerData } from 'node:worker_threads'
import type { RateLimiter } from '../../lib/resilience/rate-limiter.js'
import { serveSinks, type ServedOptions } from '../../lib/delivery/thread/serve-sinks.js'
import type { DeliverContext, Delivery, DeliveryFailure } from '../../lib/delivery/sinks/sink.js'
import type { Lease } from '../../lib/spool/spool.js'

/** Outlives the threads: how many of them have died. */
const deaths = workerData as Int32Array

function delivered ({ records }: Lease): Delivery {
  return { settlement: { delivered: records.reduce((sum, { items }) => sum + items, 0) }, failure: null, receipts: [] }
}

function kept ({ records }: Lease, message: string): Delivery {
  const failure: DeliveryFailure = { class: 'unavailable', message }
  return {
    settlement: { delivered: 0, remainder: records.map(({ line, items, bytes }) => ({ line, items, bytes })) },
    failure,
    receipts: []
  }
}

/** Ends the thread as an error that nobody catches does; the delivery never ends. */
function die (): Promise<never> {
  Atomics.add(deaths, 0, 1)
  setImmediate(() => { throw new Error('a thread that dies') })
  return new Promise(() => {})
}

async function deliver (
  lease: Lease,
  context: DeliverContext,
  rateLimiter: RateLimiter,
  { retentionDaysFor, mayCreateFor }: Omit<ServedOptions<never>, 'rateLimiters'>
): Promise<Delivery> {
  const [what] = lease.destination.split(':', 1) as [string]
  switch (what) {
    case 'throws': throw new Error('a sink that throws')
    case 'dies': return await die()
    case 'dies-once': return Atomics.load(deaths, 0) === 0 ? await die() : delivered(lease)
    case 'keeps': return kept(lease, 'not now')
    case 'extends': return await context.extend() ? delivered(lease) : kept(lease, 'not held')
    case 'reads-late':
      return await context.extend().then(() => kept(lease, lease.records.map(({ line }) => line).join('\n')))
    case 'retention': return kept(lease, String(retentionDaysFor(what)))
    case 'creates': return kept(lease, String(mayCreateFor(lease.application!)))
  }
  return await rateLimiter.acquire(context.signal).then(
    () => delivered(lease), (error: Error) => kept(lease, error.name)
  )
}

serveSinks(parentPort!, ['PutLogEvents'], ({ rateLimiters, ...answers }) => (['logs', 'metrics'] as const).map(kind => (
  { kind, deliver: (lease, context) => deliver(lease, context, rateLimiters.PutLogEvents, answers) }
)))
