import type { Bench, Row } from '../bench.js'
import { logBody } from '../bodies.js'
import { resetSandbox, watchDrain } from '../sandbox-ledger.js'
import { openStore, startGateway, startSandbox, type Gateway, type Server } from '../sides.js'
import { alternate, ratiosOf, spreadOf } from '../stats.js'
import { atLeast } from '../table.js'
import { cpuSeconds } from '../process-usage.js'

const TARGET = 1.8
const EVENTS = 10
const STREAMS = 16
const CONNECTIONS_OF_EACH = 16
/** The share of the bench's items with which each pair of processes warms up, so that each compiles its code before. */
const WARM_UP_SHARE = 0.4
const MEASURED_SHARE = 0.1

/** Numbers of web processes, with as many forwarders. */
const SIZES = [1, 2] as const
type Size = typeof SIZES[number]

interface Measured {
  /** Items accepted and delivered per second of the clock. */
  rate: number
  /** Items per second that the processes could take in and deliver if each pair of them had one core. */
  capacity: number
  /** Items per CPU-second of Redis. */
  redisRate: number
}

/** Sends items to all of these web processes, and waits until they are delivered. */
async function sendAndDeliver (bench: Bench, sandbox: Server, webs: Gateway[], items: number): Promise<void> {
  const bodies = Array.from({ length: STREAMS }, (_body, stream) => logBody(EVENTS, `stream-${stream}`))
  const tokens = await Promise.all(webs.map(web => web.token()))
  await Promise.all(webs.map(({ port }, web) =>
    bench.load.all({
      port,
      path: '/logEvents',
      token: tokens[web]!,
      bodies,
      connections: CONNECTIONS_OF_EACH
    }, items / EVENTS / webs.length)))
  await watchDrain(sandbox, items)
  await resetSandbox(sandbox)
}

async function measure (bench: Bench, sandbox: Server, size: Size): Promise<Measured> {
  const store = await openStore(bench.processes, 'Redis')
  const start = async (forwarder: 'off' | 'only'): Promise<Gateway[]> =>
    await Promise.all(Array.from({ length: size }, () => startGateway(bench.processes, { sandbox, store, forwarder })))
  const webs = await start('off')
  const gateways = [...webs, ...await start('only')]
  const cpu = (): number => gateways.reduce((sum, { pid }) => sum + cpuSeconds(pid), 0)
  const redisCpu = (): number => cpuSeconds(store.redis!.pid())

  await sendAndDeliver(bench, sandbox, webs, size * bench.items * WARM_UP_SHARE)
  const items = size * bench.items * MEASURED_SHARE
  const before = { at: performance.now(), cpu: cpu(), redisCpu: redisCpu() }
  await sendAndDeliver(bench, sandbox, webs, items)
  const measured = {
    rate: items / ((performance.now() - before.at) / 1_000),
    capacity: size * items / (cpu() - before.cpu),
    redisRate: items / (redisCpu() - before.redisCpu)
  }
  for (const { kill } of gateways) await kill()
  await store.drop()
  return measured
}

export const scaling: Row = {
  name: 'scaling',
  title: 'two web and two forwarder processes on one Redis, against one of each',
  async run (bench) {
    const sandbox = await startSandbox(bench.processes)
    const measured: Record<Size, Measured[]> = { 1: [], 2: [] }
    for (let round = 0; round < bench.rounds; round++) {
      for (const size of alternate([...SIZES], round)) {
        bench.progress(`scaling: round ${round + 1} of ${bench.rounds}, ${size} + ${size}`)
        measured[size].push(await measure(bench, sandbox, size))
      }
    }
    await sandbox.kill()
    const capacity = (size: Size): number[] => measured[size].map(({ capacity }) => capacity)
    const note = (size: Size): string => {
      const median = (name: 'rate' | 'redisRate'): string =>
        Math.round(spreadOf(measured[size].map(each => each[name])).median).toLocaleString('en')
      return `${median('rate')}/s by the clock of this machine, ${median('redisRate')} per CPU-second of Redis`
    }
    return [{
      title: `Scaling: log events taken in and delivered, ${EVENTS} in a request, ${STREAMS} streams, one Redis`,
      lines: [
        { label: '1 web + 1 forwarder', unit: 'events/s and core', values: capacity(1), note: note(1) },
        {
          label: '2 web + 2 forwarders',
          unit: 'events/s and core',
          values: capacity(2),
          ratios: ratiosOf(capacity(2), capacity(1)),
          target: atLeast(TARGET),
          note: note(2)
        }
      ],
      notes: [
        'So that the cores of this machine are not what is measured: events per CPU-second of the web and forwarder processes, times the pairs of them. Twice would be perfect.',
        `Each pair takes ${CONNECTIONS_OF_EACH} connections, and as many events whether there is another or not, after a warm-up with ${WARM_UP_SHARE / MEASURED_SHARE} times as many.`,
        'Redis is shared and not in it; its own figure says how far one Redis goes.'
      ]
    }]
  }
}
