import { Redis } from 'ioredis'
import type { Bench, Row } from '../bench.js'
import { LOG_GROUP, logMessage, metricBody, MESSAGE_BYTES, singlePointBodies } from '../bodies.js'
import { resetSandbox, watchDrain } from '../sandbox-ledger.js'
import { openStore, startGateway, startSandbox, type Server, type Store } from '../sides.js'
import { alternate } from '../stats.js'
import type { Line } from '../table.js'
import { cpuSeconds } from '../process-usage.js'

const CONNECTIONS = 32
/** Log streams, over all shards of the spool. */
const STREAMS = 16
const LARGE_MESSAGE_BYTES = 1_000
const REQUESTS_SHARE = 0.1
const WARM_UP_SHARE = 0.2
/** The share of a backlog that a worker delivers before it is measured: by then its code is compiled. */
const COLD_SHARE = 0.5
/** The most items of one case, so that they fit into SPOOL_MAX_BYTES. */
const MAX_ITEMS = 300_000

interface Case {
  label: string
  path: string
  items: number
  bodies: string[]
}

function logBodies (events: number, messageBytes: number): string[] {
  const message = (index: number): string => logMessage(index).padEnd(messageBytes, ' shop.example')
  return Array.from({ length: STREAMS }, (_body, stream) => JSON.stringify({
    logGroupName: LOG_GROUP,
    logStreamName: `stream-${stream}`,
    logEvents: Array.from({ length: events }, (_event, index) => ({ message: message(index) }))
  }))
}

const logs = (items: number, bytes: number): Case => ({
  label: `logs, ${items} × ${bytes} bytes`,
  path: '/logEvents',
  items,
  bodies: logBodies(items, bytes)
})
const metrics = (items: number): Case => ({
  label: `metrics, ${items} of 100 series`,
  path: '/metric',
  items,
  bodies: items === 1 ? singlePointBodies() : [metricBody(items)]
})

const CASES: Case[] = [
  logs(1, MESSAGE_BYTES), logs(10, MESSAGE_BYTES), logs(10, LARGE_MESSAGE_BYTES), metrics(1), metrics(20)
]

/** The figures that are measured of each case. */
const FIGURES = {
  web: { label: 'web', unit: 'µs/request' },
  redisAppend: { label: 'Redis, intake', unit: 'µs/request' },
  memory: { label: 'memory of Redis', unit: 'bytes/item' },
  stored: { label: 'of these, lines', unit: 'bytes/item' },
  forwarder: { label: 'forwarder', unit: 'µs/item' },
  redisDeliver: { label: 'Redis, delivery', unit: 'µs/item' }
}
type Figure = keyof typeof FIGURES
type Figures = Record<Figure, number>

/** The memory that Redis uses, and the bytes of the stored lines. */
async function weigh (redis: Redis): Promise<{ memory: number, lines: number }> {
  const memory = Number(/used_memory:(\d+)/.exec(await redis.info('memory'))![1])
  const counters = await redis.keys('*:counters')
  const lines = await Promise.all(counters.map(key => redis.hget(key, 'lineBytes')))
  return { memory, lines: lines.reduce((sum, bytes) => sum + Number(bytes), 0) }
}

async function measure (bench: Bench, sandbox: Server, each: Case): Promise<Figures> {
  const store = await openStore(bench.processes, 'Redis')
  const redis = new Redis(store.nodes[0]!.url)
  const taken = await takeIn(bench, sandbox, store, redis, each)
  const delivered = await deliver(bench, sandbox, store, taken.items)
  redis.disconnect()
  await store.drop()
  await resetSandbox(sandbox)
  return { ...taken.figures, ...delivered }
}

async function takeIn (bench: Bench, sandbox: Server, store: Store, redis: Redis, { path, items, bodies }: Case) {
  const web = await startGateway(bench.processes, { sandbox, store, forwarder: 'off' })
  const requests = Math.floor(Math.min(bench.items * REQUESTS_SHARE, MAX_ITEMS / items))
  const warmUp = Math.ceil(requests * WARM_UP_SHARE)
  const job = { port: web.port, path, token: await web.token(), bodies, connections: CONNECTIONS }
  await bench.load.all(job, warmUp)
  const before = { web: cpuSeconds(web.pid), redis: cpuSeconds(store.nodes[0]!.pid()), ...await weigh(redis) }
  await bench.load.all(job, requests)
  const after = await weigh(redis)
  const figures = {
    web: 1e6 * (cpuSeconds(web.pid) - before.web) / requests,
    redisAppend: 1e6 * (cpuSeconds(store.nodes[0]!.pid()) - before.redis) / requests,
    memory: (after.memory - before.memory) / requests / items,
    stored: (after.lines - before.lines) / requests / items
  }
  await web.stop()
  return { figures, items: (requests + warmUp) * items }
}

async function deliver (bench: Bench, sandbox: Server, store: Store, items: number) {
  const worker = await startGateway(bench.processes, { sandbox, store, forwarder: 'only', ready: false })
  await watchDrain(sandbox, items * COLD_SHARE)
  const before = cpuSeconds(store.nodes[0]!.pid())
  const drain = await watchDrain(sandbox, items, [worker.pid])
  const redis = cpuSeconds(store.nodes[0]!.pid()) - before
  await worker.kill()
  return { forwarder: 1e6 * drain.cpuSeconds / drain.items, redisDeliver: 1e6 * redis / drain.items }
}

export const capacity: Row = {
  name: 'capacity',
  title: 'cost of each request and item in web, forwarder and Redis: the rates of npm run simulate',
  async run (bench) {
    const sandbox = await startSandbox(bench.processes)
    const measured = new Map<Case, Figures[]>(CASES.map(each => [each, []]))
    for (let round = 0; round < bench.rounds; round++) {
      for (const each of alternate(CASES, round)) {
        bench.progress(`capacity: round ${round + 1} of ${bench.rounds}, ${each.label}`)
        measured.get(each)!.push(await measure(bench, sandbox, each))
      }
    }
    await sandbox.kill()
    const lines = CASES.flatMap(each => Object.entries(FIGURES).map(([figure, { label, unit }]): Line => ({
      label: `${each.label}: ${label}`,
      unit,
      values: measured.get(each)!.map(figures => figures[figure as Figure])
    })))
    return [{
      title: 'Capacity: CPU of each process, and memory of Redis',
      lines,
      notes: [
        `Web with FORWARDER=off, ${CONNECTIONS} connections, one Redis with appendfsync everysec; then one worker ` +
          `delivers the waiting items to the sandbox. Log events go to ${STREAMS} streams, data points to one ` +
          'namespace.',
        'CPU of all threads. Of a delivery, the second half is measured.'
      ]
    }]
  }
}
