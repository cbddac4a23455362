import { setTimeout as sleep } from 'node:timers/promises'
import { PUT_LOG_EVENTS as LIMIT } from '../../../schemas/aws-limits.js'
import { ConfigSchema } from '../../../schemas/config.js'
import type { Bench, Row } from '../bench.js'
import { MESSAGE_BYTES, singlePointBodies } from '../bodies.js'
import { readLedger, resetSandbox, storedItems, watchDrain } from '../sandbox-ledger.js'
import type { LoadResult } from '../load/index.js'
import { openStore, startGateway, startSandbox, type Backend, type Gateway, type Server, type Store } from '../sides.js'
import { atMost, type Line, type Table } from '../table.js'
import { EVENTS_IN_REQUEST, sendLogEvents } from './fill.js'

const METRICS_TARGET = 1.2
const LOGS_TARGET = 1.1
const FLUSH_SECONDS: number = ConfigSchema.properties.FLUSH_INTERVAL_MS.default / 1_000
const METRIC_LOAD = { connections: 64, pipelining: 2 }
/** The wait after the last item: an item that is sent twice comes within it. */
const SETTLE_MS = 2_000

interface Arrangement {
  label: string
  backend: Backend
  forwarders: Array<'on' | 'off' | 'only'>
}

/** The processes of each arrangement; the first process takes the requests. */
const ARRANGEMENTS: Arrangement[] = [
  { label: 'embedded', backend: 'embedded', forwarders: ['on'] },
  { label: 'Redis, one forwarder', backend: 'Redis', forwarders: ['on'] },
  { label: 'Redis, one web and two forwarders', backend: 'Redis', forwarders: ['off', 'only', 'only'] }
]

interface Traffic {
  title: string
  api: 'PutMetricData' | 'PutLogEvents'
  target: number
  send (bench: Bench, gateway: Gateway): Promise<LoadResult>
  /** The calls that the limits of AWS force, however long items are gathered. */
  forced (items: number): number
  note: string
}

const METRICS: Traffic = {
  title: 'requests of one data point over 100 series of one namespace',
  api: 'PutMetricData',
  target: METRICS_TARGET,
  send: async ({ load, items }, gateway) => await load.all({
    port: gateway.port, path: '/metric', token: await gateway.token(), bodies: singlePointBodies(), ...METRIC_LOAD
  }, items),
  forced: () => 1,
  note: `Sent as fast as they were taken, over ${METRIC_LOAD.connections} connections with ${METRIC_LOAD.pipelining} ` +
    'requests under way on each.'
}

const LOGS: Traffic = {
  title: `log events of ${MESSAGE_BYTES} bytes in one stream`,
  api: 'PutLogEvents',
  target: LOGS_TARGET,
  send: async (bench, gateway) => await sendLogEvents(bench, gateway, bench.items),
  forced: items =>
    Math.ceil(
      items / Math.min(LIMIT.MAX_EVENTS, Math.floor(LIMIT.MAX_BYTES / (MESSAGE_BYTES + LIMIT.EVENT_OVERHEAD_BYTES)))
    ),
  note: `Sent as fast as they were taken, ${EVENTS_IN_REQUEST} in a request.`
}

async function startAll (
  bench: Bench, sandbox: Server, store: Store, forwarders: Arrangement['forwarders']
): Promise<Gateway[]> {
  const gateways: Gateway[] = []
  for (const forwarder of forwarders) gateways.push(await startGateway(bench.processes, { sandbox, store, forwarder }))
  return gateways
}

async function measure (
  bench: Bench, sandbox: Server, { api, send, forced, target }: Traffic, { label, backend, forwarders }: Arrangement
): Promise<Line[]> {
  const store = await openStore(bench.processes, backend)
  const gateways = await startAll(bench, sandbox, store, forwarders)
  const { seconds } = await send(bench, gateways[0]!)
  await watchDrain(sandbox, bench.items)
  await sleep(SETTLE_MS)
  const ledger = await readLedger(sandbox)
  for (const gateway of gateways) await gateway.kill()
  await store.drop()
  await resetSandbox(sandbox)

  const calls = ledger.calls[api] ?? 0
  const intervals = Math.ceil(seconds / FLUSH_SECONDS)
  const least = Math.max(intervals, forced(bench.items))
  const lost = bench.items - storedItems(ledger)
  return [
    {
      label,
      unit: api,
      values: [calls],
      ratios: [calls / least],
      target: atMost(target),
      note: `${describeErrors(ledger.errors[api])}least possible ${least} (${intervals} intervals, ` +
        `${forced(bench.items)} forced by the limits); ${Math.round(bench.items / seconds).toLocaleString('en')} ` +
        `items/s; mean fill ${(100 * ledger.fill[api]!.mean).toFixed(1)} %`
    },
    {
      label: `${label}: accepted − stored`,
      unit: 'items',
      values: [lost],
      target: atMost(0, 'value'),
      ...(lost < 0 && { note: `${-lost} stored twice` })
    }
  ]
}

/** The calls that were answered with an error, which count as well: a put to a missing log stream, for example. */
function describeErrors (errors: Record<string, number> = {}): string {
  return Object.entries(errors).map(([error, count]) => `${count} of them ${error}; `).join('')
}

export const calls: Row = {
  name: 'calls',
  title: 'calls to AWS for a million items, against the least possible number',
  async run (bench) {
    const sandbox = await startSandbox(bench.processes)
    const tables: Table[] = []
    for (const traffic of [METRICS, LOGS]) {
      const lines: Line[] = []
      for (const arrangement of ARRANGEMENTS) {
        bench.progress(`calls: ${traffic.api}, ${arrangement.label}`)
        lines.push(...await measure(bench, sandbox, traffic, arrangement))
      }
      tables.push({
        title: `Calls: ${bench.items.toLocaleString('en')} ${traffic.title}`,
        lines,
        notes: [
          traffic.note,
          'The least possible number is one call for the destination in each flush interval in which something ' +
            'arrived, or as many as the limits of AWS force, whichever is more.'
        ]
      })
    }
    await sandbox.kill()
    return tables
  }
}
