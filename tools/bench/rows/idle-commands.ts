import { setTimeout as sleep } from 'node:timers/promises'
import { watchCommands } from '../../shared/redis-commands.js'
import type { Bench } from '../bench.js'
import { openStore, startGateway, type GatewayOptions, type Server } from '../sides.js'
import type { Line, Table } from '../table.js'

const SHARDS = [1, 3, 12]
/** After the start, until the first round of everything that a process does now and then is over. */
const SETTLE_MS = 3_000
/** The longest time between two rounds of anything. */
const SECONDS = 60
const QUICK_SECONDS = 10

const PROCESSES: Array<{ label: string, forwarder: GatewayOptions['forwarder'] }> = [
  { label: 'web', forwarder: 'off' },
  { label: 'forwarder', forwarder: 'only' },
  { label: 'both in one', forwarder: 'on' }
]

async function measure (
  { processes }: Bench, sandbox: Server, label: string, forwarder: GatewayOptions['forwarder'], shards: number,
  seconds: number
): Promise<Line> {
  const store = await openStore(processes, 'Redis')
  const gateway = await startGateway(processes, { sandbox, store, forwarder, env: { REDIS_SHARDS: String(shards) } })
  await sleep(SETTLE_MS)
  const { counts, stop } = await watchCommands(store.nodes[0]!.url)
  await sleep(seconds * 1_000)
  stop()
  await gateway.kill()
  await store.drop()
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0)
  return {
    label: `${label}, REDIS_SHARDS=${shards}`,
    unit: 'commands/s',
    values: [total / seconds],
    note: [...counts].map(([name, count]) => `${(count / seconds).toFixed(2)} ${name}`).join(', ')
  }
}

/** The commands that a process without anything to do sends to Redis. */
export async function idleCommands (bench: Bench, sandbox: Server): Promise<Table> {
  const seconds = bench.quick ? QUICK_SECONDS : SECONDS
  const lines: Line[] = []
  for (const { label, forwarder } of PROCESSES) {
    bench.progress(`scaling: commands of an idle process, ${label}`)
    lines.push(...await Promise.all(SHARDS.map(shards => measure(bench, sandbox, label, forwarder, shards, seconds))))
  }
  return {
    title: 'Scaling, idle: commands to Redis of a process without requests and items',
    lines,
    notes: [`Counted by MONITOR for ${seconds} s; those that scripts call do not count.`]
  }
}
