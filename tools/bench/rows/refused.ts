import { CONNECTIONS, type Bench, type Row } from '../bench.js'
import { logBody } from '../bodies.js'
import type { LoadResult } from '../load/index.js'
import { resetSandbox, watchDrain } from '../sandbox-ledger.js'
import { BACKENDS, openStore, startGateway, startSandbox, type Backend, type Server } from '../sides.js'
import { alternate, ratiosOf } from '../stats.js'
import { atLeast, type Line } from '../table.js'

const TARGET = 1.5
/** Seconds of warm-up for each side. */
const WARM_UP_SECONDS = 2

interface Rates {
  accepted: number[]
  refused: number[]
  generatorCores: number[]
}

/** The token with another signature. */
function forge (token: string): string {
  const [head, claims, signature] = token.split('.') as [string, string, string]
  return `${head}.${claims}.${[...signature].reverse().join('')}`
}

async function measureRound (
  bench: Bench, sandbox: Server, backend: Backend, round: number, rates: Rates
): Promise<void> {
  const store = await openStore(bench.processes, backend)
  const gateway = await startGateway(bench.processes, { sandbox, store, forwarder: 'on' })
  const token = await gateway.token()
  const tokens = { accepted: token, refused: forge(token) }
  const load = (side: keyof typeof tokens, seconds: number): Promise<LoadResult> =>
    bench.load.peak({
      port: gateway.port,
      path: '/logEvents',
      token: tokens[side],
      bodies: [logBody(1)],
      connections: CONNECTIONS
    }, seconds)
  await load('refused', WARM_UP_SECONDS)
  let items = (await load('accepted', WARM_UP_SECONDS)).accepted
  await watchDrain(sandbox, items)
  for (const side of alternate(['accepted', 'refused'] as const, round)) {
    const result = await load(side, bench.seconds)
    const expected = side === 'accepted' ? result.requests : 0
    if (result.accepted !== expected) {
      throw new Error(`${result.accepted} of ${result.requests} requests were accepted, not ${expected}`)
    }
    // The items of this load must not be delivered while the next load is measured.
    items += result.accepted
    await watchDrain(sandbox, items)
    rates[side].push(result.requests / result.seconds)
    rates.generatorCores.push(result.cpuSeconds / result.seconds)
  }
  await gateway.kill()
  await store.drop()
  await resetSandbox(sandbox)
}

export const refused: Row = {
  name: 'refused',
  title: 'requests with a forged token against accepted ones',
  async run (bench) {
    const sandbox = await startSandbox(bench.processes)
    const lines: Line[] = []
    const cores: number[] = []
    for (const backend of BACKENDS) {
      const rates: Rates = { accepted: [], refused: [], generatorCores: cores }
      for (let round = 0; round < bench.rounds; round++) {
        bench.progress(`refused: round ${round + 1} of ${bench.rounds}, ${backend}`)
        await measureRound(bench, sandbox, backend, round, rates)
      }
      lines.push(
        { label: `${backend}: accepted`, unit: 'requests/s', values: rates.accepted },
        {
          label: `${backend}: refused`,
          unit: 'requests/s',
          values: rates.refused,
          ratios: ratiosOf(rates.refused, rates.accepted),
          target: atLeast(TARGET)
        }
      )
    }
    await sandbox.kill()
    return [{
      title: 'Refused requests: a forged token in the header, against accepted requests of one event',
      lines,
      notes: [`${CONNECTIONS} connections, forwarder on; the load generator used at most ` +
        `${Math.max(...cores).toFixed(2)} of a core.`]
    }]
  }
}
