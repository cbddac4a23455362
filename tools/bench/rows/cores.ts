import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Health } from '../../../schemas/health.js'
import { CONNECTIONS, type Bench, type Row } from '../bench.js'
import { LOG_CASES, type Case } from '../cases.js'
import { cpuSeconds } from '../process-usage.js'
import { readLedger, storedItems, watchDrain } from '../sandbox-ledger.js'
import { openStore, readyUrl, startGateway, startSandbox, type Gateway, type Server } from '../sides.js'
import { alternate, medianInterval, ratiosOf, spreadOf } from '../stats.js'
import { atLeast, type Table } from '../table.js'

/** Of two web processes against one process, for each CPU-second, where the load and the sandbox share the cores. */
const TARGET = 0.85
const WEB_PROCESSES = 2
/** Requests of each case; of the warm-up each web process has as many. */
const REQUESTS = { warmUp: 6_000, measured: 16_000 }
const POLL_MS = 100
const QUICK_REQUESTS = { warmUp: 1_000, measured: 2_000 }

/** How the cores of one machine are used. */
interface Side {
  label: string
  webProcesses: number
  start (bench: Bench, sandbox: Server): Promise<Started>
}

interface Started {
  /** The ports that take requests, in equal shares. */
  gateways: Gateway[]
  /** Every process whose work the requests are, Redis among them. */
  pids: number[]
  end (): Promise<void>
}

const ONE = 'one process'
const FORKED = `WEB_CONCURRENCY=${WEB_PROCESSES}`

const SIDES: Side[] = [
  {
    label: ONE,
    webProcesses: 1,
    async start ({ processes }, sandbox) {
      const store = await openStore(processes, 'embedded')
      const gateway = await startGateway(processes, { sandbox, store, forwarder: 'on' })
      return { gateways: [gateway], pids: [gateway.pid], end: async () => { await gateway.kill(); await store.drop() } }
    }
  },
  {
    label: FORKED,
    webProcesses: WEB_PROCESSES,
    async start ({ processes }, sandbox) {
      const store = await openStore(processes, 'embedded')
      const gateway = await startGateway(processes, { sandbox, store, forwarder: 'on', webProcesses: WEB_PROCESSES })
      await untilWhole(gateway)
      const pids = [gateway.pid, ...childrenOf(gateway.pid)]
      return { gateways: [gateway], pids, end: async () => { await gateway.kill(); await store.drop() } }
    }
  },
  {
    label: `${WEB_PROCESSES} web processes and a worker on a local Redis`,
    webProcesses: WEB_PROCESSES,
    async start ({ processes }, sandbox) {
      const store = await openStore(processes, 'Redis')
      const start = async (forwarder: 'off' | 'only'): Promise<Gateway> =>
        await startGateway(processes, { sandbox, store, forwarder })
      const webs = await Promise.all(Array.from({ length: WEB_PROCESSES }, () => start('off')))
      const all = [...webs, await start('only')]
      return {
        gateways: webs,
        pids: [...all.map(({ pid }) => pid), ...store.nodes.map(({ pid }) => pid())],
        async end () {
          for (const gateway of all) await gateway.kill()
          await store.drop()
        }
      }
    }
  }
]

/** Waits until every web process takes requests. */
async function untilWhole ({ port }: Gateway): Promise<void> {
  for (;;) {
    const { failing } = await (await fetch(readyUrl(port))).json() as Health
    if (failing.length === 0) return
    await sleep(POLL_MS)
  }
}

/** The children of a process, by Linux. */
function childrenOf (pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(text => text !== '').map(Number)
}

/** Microseconds of CPU of all processes for each request, until its items are delivered. */
async function measure (
  bench: Bench, sandbox: Server, { webProcesses }: Side, { gateways, pids }: Started, each: Case, requests: number
): Promise<number> {
  const connections = CONNECTIONS * webProcesses / gateways.length
  const cpu = (): number => pids.reduce((sum, pid) => sum + cpuSeconds(pid), 0)
  const tokens = await Promise.all(gateways.map(gateway => gateway.token()))
  const before = { cpu: cpu(), stored: storedItems(await readLedger(sandbox)) }
  await Promise.all(gateways.map(({ port }, i) => bench.load.all({
    port, token: tokens[i]!, path: each.path, bodies: [each.body], connections
  }, requests / gateways.length)))
  await watchDrain(sandbox, before.stored + requests * each.items)
  return (cpu() - before.cpu) * 1_000_000 / requests
}

export const cores: Row = {
  name: 'cores',
  title: 'two web processes of one machine, forked or on a local Redis, against one process',
  async run (bench) {
    const requests = bench.quick ? QUICK_REQUESTS : REQUESTS
    const costs = new Map(LOG_CASES.map(each => [each, new Map(SIDES.map((side): [Side, number[]] => [side, []]))]))
    for (let round = 0; round < bench.rounds; round++) {
      bench.progress(`cores: round ${round + 1} of ${bench.rounds}`)
      const sandbox = await startSandbox(bench.processes)
      const sides = alternate(SIDES, round)
      const started = new Map<Side, Started>()
      for (const side of sides) started.set(side, await side.start(bench, sandbox))
      for (const each of LOG_CASES) {
        for (const side of sides) {
          await measure(bench, sandbox, side, started.get(side)!, each, requests.warmUp * side.webProcesses)
        }
      }
      for (const [each, ofSides] of costs) {
        for (const side of sides) {
          ofSides.get(side)!.push(await measure(bench, sandbox, side, started.get(side)!, each, requests.measured))
        }
        const figures = SIDES.map(side => `${side.label} ${ofSides.get(side)!.at(-1)!.toFixed(0)} µs`)
        bench.reportRound(`cores: round ${round + 1} of ${bench.rounds}: ${each.label}: ${figures.join(', ')}`)
      }
      for (const { end } of started.values()) await end()
      await sandbox.kill()
    }
    return [toTable(costs, requests)]
  }
}

function toTable (costs: Map<Case, Map<Side, number[]>>, { warmUp, measured }: typeof REQUESTS): Table {
  return {
    title: 'Every core of one machine: log events taken in and delivered',
    lines: [...costs].flatMap(([each, ofSides]) => SIDES.map(side => {
      const rate = (of: Side): number[] => ofSides.get(of)!.map(cost => each.items * 1_000_000 / cost)
      const note = `${spreadOf(ofSides.get(side)!).median.toFixed(0)} µs a request`
      const line = { label: `${each.label}: ${side.label}`, unit: 'events per CPU-second', values: rate(side), note }
      if (side.label === ONE) return line
      const ratios = ratiosOf(rate(side), rate(SIDES[0]!))
      const target = side.label === FORKED ? { target: atLeast(TARGET) } : {}
      return { ...line, ratios, interval: medianInterval(ratios), ...target }
    })),
    notes: [
      'CPU of every process whose work it is: web processes, the one that forwards, and Redis; until the last ' +
        'event is delivered.',
      `${measured.toLocaleString('en')} requests of each case to each side in turn, after ` +
        `${warmUp.toLocaleString('en')} of each case for each web process; ${CONNECTIONS} connections to each web ` +
        'process; fresh processes and empty stores each round. All sides run at once, so that a slow minute falls ' +
        'on each.'
    ]
  }
}
