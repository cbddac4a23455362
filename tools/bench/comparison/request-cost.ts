import { setTimeout as sleep } from 'node:timers/promises'
import { CONNECTIONS, type Bench } from '../bench.js'
import type { Build } from '../builds.js'
import { CASES, jobOf, type Case } from '../cases.js'
import { readLedger, storedItems, watchDrain } from '../sandbox-ledger.js'
import {
  BACKENDS, openStore, startGateway, startSandbox, type Backend, type Gateway, type Server, type Store
} from '../sides.js'
import { atMost } from '../table.js'
import { cpuSeconds } from '../process-usage.js'
import { spreadOf } from '../stats.js'
import { CPU_LIMIT, PairedFigure, sidesInTurn, type Comparison, type Pair, type SideName } from './comparison.js'

/**
 * Requests of each case. Not seconds: a slow minute must leave no build less warm, or with less to do, than the other.
 */
const REQUESTS = { warmUp: 4_000, measured: 4_000 }
const QUICK_REQUESTS = { warmUp: 1_000, measured: 2_000 }
/**
 * Turns of both builds at one case in a round, which share its requests. Web alone they are short, for the speed of a
 * machine that is shared changes within seconds, and a change must fall on both builds; each turn with delivery ends
 * with a wait for the last item.
 */
const TURNS = { off: 4, on: 2 }
/** The wait after the last answer, in which web alone ends its work. */
const SETTLE_MS = 100

interface Arrangement {
  label: string
  backend: Backend
  forwarder: 'on' | 'off'
}

const ARRANGEMENTS: Arrangement[] = BACKENDS.flatMap(backend => [
  { label: `${backend}, FORWARDER=off`, backend, forwarder: 'off' as const },
  { label: `${backend}, delivered`, backend, forwarder: 'on' as const }
])

interface Opened {
  gateway: Gateway
  token: string
  store: Store
}

async function open (
  { processes }: Bench, build: Build, sandbox: Server, { backend, forwarder }: Arrangement
): Promise<Opened> {
  const store = await openStore(processes, backend)
  const gateway = await startGateway(processes, { build, sandbox, store, forwarder })
  return { gateway, token: await gateway.token(), store }
}

/** Microseconds of CPU for each request, until the work of all of them is done. */
async function measure (
  bench: Bench, sandbox: Server, { forwarder }: Arrangement, opened: Opened, each: Case, requests: number
): Promise<number> {
  const { gateway: { pid, port }, token } = opened
  const before = { cpu: cpuSeconds(pid), stored: storedItems(await readLedger(sandbox)) }
  await bench.load.all(jobOf(port, token, each), requests)
  if (forwarder === 'on') await watchDrain(sandbox, before.stored + requests * each.items)
  else await sleep(SETTLE_MS)
  return (cpuSeconds(pid) - before.cpu) * 1_000_000 / requests
}

/** Both builds run at once and are measured one after the other, case by case, so that a slow minute falls on both. */
async function measureRound (
  bench: Bench, builds: Pair<Build>, sandbox: Server, arrangement: Arrangement, round: number,
  figures: Map<Case, PairedFigure>
): Promise<void> {
  const requests = bench.quick ? QUICK_REQUESTS : REQUESTS
  const turns = TURNS[arrangement.forwarder]
  const opened = {} as Pair<Opened>
  for (const side of sidesInTurn(round)) opened[side] = await open(bench, builds[side], sandbox, arrangement)
  for (const each of CASES) {
    for (const side of sidesInTurn(round)) {
      await measure(
        bench, sandbox, arrangement, opened[side], each, requests.warmUp
      )
    }
  }
  for (const [index, each] of CASES.entries()) {
    const costs: Pair<number[]> = { old: [], new: [] }
    for (let turn = 0; turn < turns; turn++) {
      for (const side of sidesInTurn(round + index + turn)) {
        costs[side].push(await measure(bench, sandbox, arrangement, opened[side], each, requests.measured / turns))
      }
    }
    const figure = figures.get(each)!
    for (const [side, cost] of Object.entries(costs)) figure.add(side as SideName, spreadOf(cost).median)
    bench.reportRound(`intake: round ${round + 1} of ${bench.rounds}: ${figure.describeRound()}`)
  }
  for (const { gateway, store } of Object.values(opened)) {
    await gateway.kill()
    await store.drop()
  }
}

export const requestCost: Comparison = {
  name: 'intake',
  title: 'CPU of the gateway for each request, web alone and with the delivery of the items',
  async run (bench, builds) {
    const figures = new Map(ARRANGEMENTS.map(arrangement => [arrangement, new Map(CASES.map(each =>
      [each, new PairedFigure(`${arrangement.label}: ${each.label}`, 'µs/request', atMost(CPU_LIMIT))]))]))
    for (let round = 0; round < bench.rounds; round++) {
      for (const arrangement of ARRANGEMENTS) {
        bench.progress(`intake: round ${round + 1} of ${bench.rounds}: ${arrangement.label}`)
        const sandbox = await startSandbox(bench.processes)
        await measureRound(bench, builds, sandbox, arrangement, round, figures.get(arrangement)!)
        await sandbox.kill()
      }
    }
    const { warmUp, measured } = bench.quick ? QUICK_REQUESTS : REQUESTS
    return [{
      title: 'Intake: CPU of the gateway process for each request',
      lines: [...figures.values()].flatMap(cases => [...cases.values()].flatMap(figure => figure.lines(builds))),
      notes: [
        `${CONNECTIONS} connections, ${measured.toLocaleString('en')} requests of each case to each build after ` +
          `${warmUp.toLocaleString('en')} of each case; both builds run at once and are measured in turn ` +
          `(${TURNS.off} turns web alone, ${TURNS.on} with delivery; a round's figure is their median), the order ` +
          'alternating with every turn, case and round; fresh processes and empty stores each round.',
        'User and system time of all threads. With delivery, until the last item taken in has been delivered; web ' +
          'alone, until a moment after the last answer. Redis is not in it.',
        'The load generator and the sandbox are those of this checkout, for both.'
      ]
    }]
  }
}
